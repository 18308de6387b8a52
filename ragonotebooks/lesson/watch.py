"""Notices secrets on their way into a kernel and hushes them: what clients fetch and send, what the environment holds.

A kernel that `ragonotebooks` starts calls `watch` before its first cell. The clients are watched from outside, when a cell
imports them, so that a cell's code is what production runs.
"""

import json
import os
import re
import resource
import secrets
import sys
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ragonotebooks.lesson.hush import enter, hush

_FIELDS = (
    {"password", "masteruserpassword", "newpassword", "randompassword", "authtoken", "authstring", "authorizationtoken"}
    | {"secretstring", "secretbinary", "secretaccesskey", "sessiontoken", "accesstoken", "idtoken", "refreshtoken"}
    | {"plaintext", "privatekey", "privatekeydata", "clientsecret", "apikey", "keystring"}
)
"""What AWS, Google Cloud and OAuth call secrets in requests and answers, in small letters without signs in between."""

_VARIABLE = re.compile(
    r"PASSWORD|PASSWD|(?:^|_)(?:SECRET|TOKEN|PASS|PWD|APIKEY|API_KEY|PRIVATE_KEY)(?!.*_(?:ID|FILE|PATH|URL|URI|NAME|ARN)$)(?:_|$)"
)
_LONG_ENOUGH = 16  # characters of what the module `secrets` makes: less is a name more often than a password


def watch() -> None:
    """Watch this process from now on."""
    enter()
    # a dump of memory holds everything
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    hush_environment()
    for maker in ("token_hex", "token_urlsafe"):
        setattr(secrets, maker, _watched_maker(getattr(secrets, maker)))
    sys.meta_path.insert(0, _Watcher())


def hush_environment() -> None:
    """Hush the variables whose names say that they are secret, and Google's credentials."""
    for name, value in os.environ.items():
        # the shell's PWD is where it works
        if name != "PWD" and _VARIABLE.search(name.upper()):
            hush(value)
    with suppress(OSError, ValueError, KeyError):
        _hush_all(json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_bytes()))


def found_in(data: Any) -> Iterator[str | bytes]:
    """The secrets in a request or an answer: of JSON's kind, or a message of Protocol Buffers."""
    match data:
        case Mapping():
            for name, one in data.items():
                if isinstance(one, str | bytes):
                    if _is_secret(name) or (name == "Value" and data.get("Type") == "SecureString"):
                        yield one
                else:
                    yield from found_in(one)
        case list() | tuple():
            for one in data:
                yield from found_in(one)
        case _ if descriptor := getattr(data, "DESCRIPTOR", None):
            if _can_hold(descriptor):
                for field, one in data.ListFields():
                    is_secret = _is_secret(field.name) or descriptor.name == "SecretPayload"
                    yield from (one,) if is_secret and isinstance(one, str | bytes) else found_in(_plain(one))


def _plain(one: Any) -> Any:
    """A repeated field as a list."""
    return (
        one if isinstance(one, str | bytes) or hasattr(one, "DESCRIPTOR") or not hasattr(one, "__iter__") else list(one)
    )


@cache
def _is_secret(name: str) -> bool:
    return re.sub("[^a-z]", "", str(name).lower()) in _FIELDS


_can_hold_by_type = dict[str, bool]()


def _can_hold(descriptor: Any) -> bool:
    """Whether a message of this type can hold a secret at all; most cannot, and need not be looked through."""
    name = descriptor.full_name
    if name not in _can_hold_by_type:
        _can_hold_by_type[name] = any(
            one.name == "SecretPayload" or any(_is_secret(field.name) for field in one.fields)
            for one in _types_in(descriptor)
        )
    return _can_hold_by_type[name]


def _types_in(descriptor: Any) -> Iterable[Any]:
    """The type of a message and those of the messages in it, each once: some hold themselves."""
    found, left = {descriptor.full_name: descriptor}, [descriptor]
    while left:
        inner = [field.message_type for field in left.pop().fields if field.message_type is not None]
        new = {one.full_name: one for one in inner if one.full_name not in found}
        found |= new
        left += new.values()
    return found.values()


def _hush_all(data: Any) -> None:
    for one in found_in(data):
        hush(one)
        # a registry's token is base64 of user:password, and programs log in with the password alone
        with suppress(ValueError):
            hush(b64decode(one, validate=True).partition(b":")[2])


def _watched_maker(make: Callable[..., str]) -> Callable[..., str]:
    def made(*arguments: Any) -> str:
        value = make(*arguments)
        return hush(value) if len(value) >= _LONG_ENOUGH else value

    return made


def _watch_aws(handlers: ModuleType) -> None:
    """botocore tells handlers of every call, with its arguments and with its answer, and of every signature."""

    def asked(params: Any, **_rest: Any) -> None:
        _hush_all(params)

    def answered(parsed: Any, **_rest: Any) -> None:
        _hush_all(parsed)

    def signing(request_signer: Any, **_rest: Any) -> None:
        credentials = getattr(request_signer, "_credentials", None)
        for one in (credentials.secret_key, credentials.token) if credentials else ():
            hush(one or "")

    watches: list[tuple[str, Callable[..., None]]] = [
        ("provide-client-params", asked),
        ("after-call", answered),
        ("before-sign", signing),
    ]
    vars(handlers)["BUILTIN_HANDLERS"].extend(watches)


def _watch_google(method: ModuleType) -> None:
    """Every call of Google's generated clients goes through this class, over gRPC and over REST."""
    call = method._GapicCallable.__call__

    def watched(self: Any, request: Any = None, *rest: Any, **options: Any) -> Any:
        _hush_all(getattr(request, "_pb", request))
        answer = call(self, request, *rest, **options)
        _hush_all(getattr(answer, "_pb", answer))
        return answer

    method._GapicCallable.__call__ = watched


def _watch_google_credentials(credentials: ModuleType) -> None:
    """Whatever they are, credentials put their token into the headers of a request here."""
    apply = credentials.Credentials.apply

    def watched(self: Any, headers: Any, token: Any = None) -> None:
        apply(self, headers, token)
        hush(headers.get("authorization", "").removeprefix("Bearer "))

    credentials.Credentials.apply = watched


_WATCHES: dict[str, Callable[[ModuleType], None]] = {
    "botocore.handlers": _watch_aws,
    "google.api_core.gapic_v1.method": _watch_google,
    "google.auth.credentials": _watch_google_credentials,
}


class _Watcher(MetaPathFinder):
    """Finds the modules that are to be watched as everybody does, and has them watched when they are loaded."""

    def __init__(self) -> None:
        self._awaited = dict(_WATCHES)

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        watch_it = self._awaited.pop(name, None)
        spec = find_spec(name) if watch_it else None
        if watch_it is None or spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_watch(module: ModuleType) -> None:
            load(module)
            watch_it(module)

        spec.loader.exec_module = load_and_watch  # type: ignore[method-assign]
        return spec
