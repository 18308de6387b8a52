"""Discovery documents, which google-api-python-client ships: the HTTP rules of APIs whose clients know none."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ragonotebooks.sandbox.gcp.apis import Rpc, is_repeated
from ragonotebooks.sandbox.gcp.fields import find_field
from ragonotebooks.sandbox.gcp.rules import Rule

_PARAMETER: Final = re.compile(r"\{\+?(\w+)\}")
# the pattern of a resource's name; those of Compute Engine describe one segment, letter by letter
_NAME: Final = re.compile(r"\^([\w/.:-]|\[\^/\]\+|\.\*)+\$")


@dataclass(frozen=True)
class DiscoveryMethod:
    """A method of a discovery document.

    Attributes:
        name: `compute.networks.insert`.
        rule: How it is called.
        request: The schema of its body, empty for none.
        response: The schema of its answer, empty for none.
        parameters: What the document says of each parameter.
    """

    name: str
    rule: Rule
    request: str
    response: str
    parameters: Mapping[str, Any]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """As RPCs have them."""
        return (self.rule,)

    @property
    def verb(self) -> str:
        """The last word of its name: `insert`."""
        return self.name.rpartition(".")[2]

    @property
    def collection(self) -> str:
        """The word before: `networks`."""
        return self.name.split(".")[-2]


def document(api: str, version: str) -> dict[str, Any]:
    """Return a discovery document."""
    path = files("googleapiclient") / "discovery_cache" / "documents" / f"{api}.{version}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@cache
def methods(api: str, version: str) -> tuple[DiscoveryMethod, ...]:
    """Return the methods of an API."""
    whole = document(api, version)
    base = "/" + whole.get("servicePath", "")
    return tuple(_method(base, one) for one in _flat(whole))


def _flat(resources: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resources.get("methods", {}).values()
    for below in resources.get("resources", {}).values():
        yield from _flat(below)


def _method(base: str, one: Mapping[str, Any]) -> DiscoveryMethod:
    parameters = one.get("parameters", {})

    def variable(found: re.Match[str]) -> str:
        pattern = parameters[found[1]].get("pattern", "")
        name = pattern.strip("^$") if _NAME.fullmatch(pattern) else "[^/]+"
        return f"{{{found[1]}={name.replace('[^/]+', '*').replace('.*', '**')}}}"

    template = base + _PARAMETER.sub(variable, one["path"])
    request = one.get("request", {}).get("$ref", "")
    rule = Rule(one["httpMethod"], template, "*" if request else "")
    return DiscoveryMethod(one["id"], rule, request, one.get("response", {}).get("$ref", ""), parameters)


def rules(api: str, version: str, rpcs: tuple[Rpc, ...], named: Mapping[str, str]) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of RPCs by name.

    Args:
        api: `iam`.
        version: `v1`.
        rpcs: What the API's clients know.
        named: The RPC of a method where their names do not tell.
    """
    found: dict[str, tuple[Rule, ...]] = {}
    by_name = {rpc.name: rpc for rpc in rpcs}
    for method in methods(api, version):
        rpc = by_name.get(named[method.name]) if method.name in named else _rpc(method, rpcs)
        if rpc is not None:
            rule = replace(method.rule, body=_body(method, rpc), aliases=tuple(_aliases(method.rule, rpc)))
            found[rpc.name] = (*found.get(rpc.name, ()), rule)
    return found


def ruled(rpc: Rpc, found: Mapping[str, tuple[Rule, ...]]) -> Rpc:
    """Return an RPC with its rules."""
    return replace(rpc, rules=found.get(rpc.name, ()))


def _rpc(method: DiscoveryMethod, rpcs: tuple[Rpc, ...]) -> Rpc | None:
    """The RPC behind a method: its request has the same type, or it is named after the verb and the collection."""
    for rpc in rpcs:
        if method.request and rpc.request.DESCRIPTOR.name == method.request:
            return rpc
    verb = method.verb[0].upper() + method.verb[1:]
    nouns = [
        part[0].upper() + part[1:] for part in method.name.split(".")[1:-1] if part not in ("projects", "locations")
    ]
    wanted = {f"{verb}{noun}" for noun in _nouns(nouns, plural=verb == "List")}
    return next((rpc for rpc in rpcs if rpc.name in wanted), None)


def _nouns(nouns: list[str], *, plural: bool) -> Iterator[str]:
    if not nouns:
        yield ""
        return
    last = nouns[-1] if plural else _singular(nouns[-1])
    yield last
    if len(nouns) > 1:
        yield _singular(nouns[-2]) + last


def _singular(noun: str) -> str:
    return noun[:-3] + "y" if noun.endswith("ies") else noun[:-2] if noun.endswith("sses") else noun.removesuffix("s")


def _aliases(rule: Rule, rpc: Rpc) -> Iterator[tuple[str, str]]:
    """Yield variables that the request calls otherwise.

    `metricName` is `metric_name`; one that is no field of the request is one of the resource in it: `name` is
    `service_account.name`.
    """
    request = rpc.request.DESCRIPTOR
    for name in (name for name in rule.fields if name not in request.fields_by_name):
        if field := find_field(request, name):
            yield name, field.name
        for field in request.fields:
            if field.message_type and not is_repeated(field) and name in field.message_type.fields_by_name:
                yield name, f"{field.name}.{name}"


def _body(method: DiscoveryMethod, rpc: Rpc) -> str:
    if not method.request or rpc.request.DESCRIPTOR.name == method.request:
        return "*" if method.request else ""
    fields = [one for one in rpc.request.DESCRIPTOR.fields if one.message_type and not is_repeated(one)]
    return next((one.name for one in fields if one.message_type.name == method.request), "*")
