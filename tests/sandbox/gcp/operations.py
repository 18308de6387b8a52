"""Which operations of Google Cloud the sandbox answers, found out by calling all of them. Run as a program, it writes
docs/sandbox-gcp.md anew.

Every RPC that Google's generated clients know is called over gRPC, and every method of the discovery documents over REST, each
with the least that it asks for, so most of what answers answers that a thing does not exist. What counts is whether it is
refused by name.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

import grpc
import requests
from google.iam.v1 import policy_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp import apis, discovery
from ragonotebooks.sandbox.gcp.apis import Rpc, is_map, is_repeated
from ragonotebooks.sandbox.gcp.discovery import DiscoveryMethod
from ragonotebooks.sandbox.gcp.fields import Behaviours, set_at
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import environment_of
from tests.sandbox.gcp.images import token_of_the_operator

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "sandbox-gcp.md"
START, END = "<!-- generated: operations -->\n", "\n<!-- end -->"
PROJECT = "ragonometrics-sandbox"
#: What each service is called by: packages with generated clients, and discovery documents.
SERVICES: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "artifactregistry": (("google.cloud.artifactregistry_v1",), (("artifactregistry", "v1"),)),
    "cloudbuild": (("google.cloud.devtools.cloudbuild_v1",), (("cloudbuild", "v1"),)),
    "cloudresourcemanager": (("google.cloud.resourcemanager_v3",), (("cloudresourcemanager", "v3"),)),
    "compute": ((), (("compute", "v1"),)),
    "iam": (("google.cloud.iam_admin_v1",), (("iam", "v1"),)),
    "iamcredentials": (("google.cloud.iam_credentials_v1",), (("iamcredentials", "v1"),)),
    "logging": (("google.cloud.logging_v2",), (("logging", "v2"),)),
    "monitoring": (
        ("google.cloud.monitoring_v3", "google.cloud.monitoring_dashboard_v1"),
        (("monitoring", "v3"), ("monitoring", "v1")),
    ),
    "oauth2": ((), (("oauth2", "v2"),)),
    "pubsub": ((), (("pubsub", "v1"),)),
    "redis": (("google.cloud.redis_v1",), (("redis", "v1"),)),
    "run": (("google.cloud.run_v2",), (("run", "v2"),)),
    "secretmanager": (("google.cloud.secretmanager_v1",), (("secretmanager", "v1"),)),
    "servicenetworking": ((), (("servicenetworking", "v1"),)),
    "serviceusage": (("google.cloud.service_usage_v1",), (("serviceusage", "v1"),)),
    "sqladmin": (("google.cloud.sqladmin_v1",), (("sqladmin", "v1"),)),
    "storage": ((), (("storage", "v1"),)),
    "sts": ((), (("sts", "v1"),)),
}
_THREADS = 3
_TIMEOUT = 30
_VARIABLE = re.compile(r"\{([\w.]+)(?:=([^}]+))?\}")
_PLACES = {"projects": PROJECT, "locations": "us-central1", "regions": "us-central1", "zones": "us-central1-a"}
_BOUND = {"project": PROJECT, "projectId": PROJECT, "region": "us-central1", "zone": "us-central1-a"}
_NAME = "papers"  # what everything is called that a request has to name; there is no such thing
_NEW = "new-papers"  # what is made is called
_STALE = b"stale"  # the etag of every policy that is set, for else the operator would lose all rights
# a service, and one word more or a request's first line; refusals of a parameter have more words
_REFUSAL = re.compile(r"[\w.]+[ /]([A-Z]+ /)?\S+ is not supported by the sandbox(:.*)?")
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Door:
    """How a sandbox is reached.

    Attributes:
        proxy: The gateway's URL.
        bundle: The file with the certificates to trust.
        token: The operator's access token.
    """

    proxy: str
    bundle: str
    token: str


@dataclass(frozen=True)
class Answer:
    """What an operation answered.

    Attributes:
        service: What its host begins with.
        name: Such as `CreateSecret`, or `compute.networks.insert`.
        code: The name of a status: `NOT_FOUND`, or `OK`. Over REST it is the HTTP status where the answer tells none.
        message: The error's message.
        api: The RPC's service in full, empty over REST.
    """

    service: str
    name: str
    code: str
    message: str = ""
    api: str = ""

    @property
    def shown(self) -> str:
        """What the page calls it: those of SQL all have the same few names."""
        service = self.api.rpartition(".")[2]
        return f"{service}.{self.name}" if self.api.startswith("google.cloud.sql.") else self.name

    @property
    def refused(self) -> bool:
        """Whether the operation itself is refused by name, whatever its parameters are."""
        return _REFUSAL.fullmatch(self.message) is not None

    @property
    def wrong(self) -> bool:
        """Whether nobody can make anything of it: a fault, something that clients would repeat, or a refusal of nobody."""
        unnamed = self.code == "UNIMPLEMENTED" and "not supported" not in self.message
        return unnamed or self.code in (
            "UNKNOWN",
            "INTERNAL",
            "UNAVAILABLE",
            "DEADLINE_EXCEEDED",
            "CANCELLED",
            "DATA_LOSS",
        )


def door_of(sandbox: Sandbox) -> Door:
    """The door of a running sandbox."""
    with environment_of(sandbox):
        return Door(sandbox.proxy, sandbox.bundle, token_of_the_operator())


def call_all(door: Door) -> Iterator[Answer]:
    """Call every operation of every service that the sandbox plays."""
    trusted = grpc.ssl_channel_credentials(Path(door.bundle).read_bytes())
    for service, (packages, documents) in SERVICES.items():
        host = f"{service}.googleapis.com"
        with grpc.secure_channel(f"{host}:443", trusted, [("grpc.http_proxy", door.proxy)]) as channel:
            calls = [call for package in packages for call in _calls(package, documents)]
            yield from _shared(calls, lambda some: [_call(channel, door.token, service, *call) for call in some])  # noqa: B023
        methods = [method for document in documents for method in discovery.methods(*document)]
        yield from _shared(methods, lambda some: _fetch_all(door, service, some))  # noqa: B023


def _shared(items: list[_Item], work: Callable[[list[_Item]], list[Answer]]) -> Iterator[Answer]:
    """While one writes its request, the sandbox answers another."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for answers in pool.map(work, [items[start::_THREADS] for start in range(_THREADS)]):
            yield from answers


def _calls(package: str, documents: tuple[tuple[str, str], ...]) -> list[tuple[Rpc, Message]]:
    """The RPCs that a package's clients know, each with a request."""
    services = import_module(f"{package}.services")
    clients = [_client(f"{package}.services.{one.name}") for one in iter_modules(services.__path__)]
    rpcs = {rpc.path: rpc for client in clients for rpc in apis.rpcs_of(client)}
    one_name_each = len({rpc.name for rpc in rpcs.values()}) == len(rpcs)
    for document in documents if one_name_each else ():
        rules = discovery.rules(*document, tuple(rpcs.values()), {})
        rpcs = {path: rpc if rpc.rules else discovery.ruled(rpc, rules) for path, rpc in rpcs.items()}
    return [(rpc, _least(rpc, apis.behaviour(package))) for rpc in rpcs.values()]


def _client(module: str) -> type[Any]:
    classes = vars(import_module(module)).items()
    return next(one for name, one in classes if name.endswith("Client") and not name.endswith("AsyncClient"))


def _call(channel: Any, token: str, service: str, rpc: Rpc, message: Message) -> Answer:
    api, _, name = rpc.path.strip("/").partition("/")
    told = {"timeout": _TIMEOUT, "metadata": [("authorization", f"Bearer {token}")]}
    request = message.SerializeToString()
    try:
        if rpc.streams:
            next(channel.stream_stream(rpc.path)(iter([request]), **told))
        else:
            channel.unary_unary(rpc.path)(request, **told)
    except grpc.RpcError as error:
        return Answer(service, name, error.code().name, error.details() or "", api)
    return Answer(service, name, "OK", "", api)


def _least(rpc: Rpc, behaviours: Behaviours) -> Message:
    """A request with nothing in it that is not required."""
    message = rpc.request()
    _fill(message, behaviours)
    for rule in rpc.rules[:1]:
        for path, template in zip(rule.fields, _VARIABLE.findall(rule.template), strict=True):
            set_at(message, path, _named(template[1]))
    texts = {one.name for one in message.DESCRIPTOR.fields if one.type == one.TYPE_STRING and not is_repeated(one)}
    nameless = set() if rpc.rules else {"name", "parent", "resource"}
    for name in texts & (_BOUND.keys() | nameless):
        set_at(message, name, _BOUND.get(name) or _named("projects/*/*/*"))
    return message


def _fill(message: Any, behaviours: Behaviours, depth: int = 4) -> None:
    if isinstance(message, policy_pb2.Policy):
        message.etag = _STALE
        return
    required = behaviours.get(message.DESCRIPTOR.full_name, {})
    for one in message.DESCRIPTOR.fields:
        said = required.get(one.name) or required.get(f"{one.name}_") or ()
        if "Required" in said or one.name == "policy":
            _set(message, one, behaviours, depth)


def _set(message: Any, one: FieldDescriptor, behaviours: Behaviours, depth: int) -> None:
    if is_map(one):
        return
    if one.message_type is not None:
        target = getattr(message, one.name)
        inner = target.add() if is_repeated(one) else target
        if not is_repeated(one):
            target.SetInParent()
        if depth:
            _fill(inner, behaviours, depth - 1)
    elif is_repeated(one):
        getattr(message, one.name).append(_value(one))
    else:
        setattr(message, one.name, _value(one))


def _value(one: FieldDescriptor) -> Any:
    if one.enum_type is not None:
        return one.enum_type.values[-1].number
    if one.type == one.TYPE_BYTES:
        return b"x"
    name = _NEW if one.name.endswith("_id") else _NAME
    return {FieldDescriptor.CPPTYPE_STRING: name, FieldDescriptor.CPPTYPE_BOOL: True}.get(one.cpp_type, 1)


def _named(template: str) -> str:
    """A name of the form `projects/*/secrets/*`."""
    if not template:
        return _NAME
    parts = template.replace("*/*", "projects/*", 1).split("/") if template.startswith("*/*") else template.split("/")
    places = [_PLACES.get(parts[at - 1], _NAME) if at else _NAME for at in range(len(parts))]
    return "/".join(place if part in ("*", "**") else part for part, place in zip(parts, places, strict=True))


def _fetch_all(door: Door, service: str, methods: list[DiscoveryMethod]) -> list[Answer]:
    session = _session(door)
    return [_fetch(session, service, method) for method in methods]


def _session(door: Door) -> requests.Session:
    session = requests.Session()
    session.trust_env, session.verify = False, door.bundle
    session.proxies = {"https": door.proxy}
    session.headers["Authorization"] = f"Bearer {door.token}"
    return session


def _fetch(session: requests.Session, service: str, method: DiscoveryMethod) -> Answer:
    path = _VARIABLE.sub(
        lambda one: _named(one[2]) if one[2] != "*" else _BOUND.get(one[1], _NAME), method.rule.template
    )
    if method.rule.verb == "PUT" and method.verb == "create":  # what is made is named by the path
        path = path.replace(f"/{_NAME}", f"/{_NEW}")
    asked = {name: _BOUND.get(name, _NAME) for name, about in method.parameters.items() if _is_asked(about)}
    body = _body(method) if method.request else None
    url = f"https://{service}.googleapis.com{path}"
    answer = session.request(method.rule.verb, url, params=asked, json=body, timeout=_TIMEOUT)
    name = method.name
    if answer.ok:
        return Answer(service, name, "OK")
    try:
        error = answer.json()["error"]
        message = error["message"]
    except (ValueError, KeyError, TypeError):
        return Answer(service, name, f"HTTP {answer.status_code}", answer.text)
    return Answer(service, name, error.get("status") or f"HTTP {answer.status_code}", message)


def _is_asked(about: Mapping[str, Any]) -> bool:
    return bool(about.get("required")) and about.get("location") == "query"


def _body(method: DiscoveryMethod) -> dict[str, Any]:
    stale = {"etag": "c3RhbGU="}
    return {**stale, "policy": stale} if method.verb == "setIamPolicy" else {"name": _NEW}


def enable_all(door: Door) -> None:
    """Enable every API, so that none is refused for that."""
    session = _session(door)
    for service in SERVICES:
        if service != "oauth2":
            name = f"projects/{PROJECT}/services/{service}.googleapis.com"
            session.post(f"https://serviceusage.googleapis.com/v1/{name}:enable", timeout=_TIMEOUT).raise_for_status()


def section(answers: list[Answer]) -> str:
    """The generated part of the page."""
    lines = ["| service | answer | refused by name |", "|---|---:|---:|"]
    for service in SERVICES:
        answering, refused = _names(answers, service), _names(answers, service, refused=True)
        lines.append(f"| [{service}](#{service}) | {len(answering)} | {len(refused)} |")
    for service in SERVICES:
        lines += ["", f"### {service}", "", _folded("answer", _names(answers, service)), ""]
        lines.append(_folded("are refused by name", _names(answers, service, refused=True)))
    return "\n".join(lines)


def _names(answers: list[Answer], service: str, *, refused: bool = False) -> list[str]:
    """The RPCs, or the methods of what has none."""
    rpcs = bool(SERVICES[service][0])
    told = [one for one in answers if one.service == service and one.refused == refused and bool(one.api) == rpcs]
    return sorted({one.shown for one in told})


def _folded(what: str, names: list[str]) -> str:
    title = f"<details><summary>{len(names)} operations {what}</summary>"
    return f"{title}\n\n{', '.join(names) or 'none'}\n\n</details>"


def main() -> None:
    """Start a sandbox, call everything, write the page, and take the sandbox down."""
    from tests.sandbox.conftest import running_sandbox

    with running_sandbox() as sandbox:
        door = door_of(sandbox)
        enable_all(door)
        answers = list(call_all(door))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{START}{section(answers)}{END}{after}", encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(answers)} operations, {sum(one.refused for one in answers)} refused by name\n")


if __name__ == "__main__":
    main()
