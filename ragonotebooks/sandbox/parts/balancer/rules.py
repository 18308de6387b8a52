"""Listener rules: which requests they match, and what a redirect answers.

Conditions and actions come in the form of the ELBv2 API.
Source: Application Load Balancers user guide, "Listener rules", read 2026-11.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from ragonotebooks.sandbox.parts.balancer.http1 import Head


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as rules see it.

    Attributes:
        head: Its head.
        host: The host's name that it is for, in lower case, without a port.
        path: As sent, without the query.
        query: What follows the question mark.
        source: The address that it comes from.
    """

    head: Head
    host: str
    path: str
    query: str
    source: str


Matcher = Callable[[Asked], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a listener: where all matchers agree, the action is taken."""

    matchers: tuple[Matcher, ...]
    action: dict[str, Any]


def rule(described: dict[str, Any]) -> Rule:
    """Make a rule of `{"conditions": […], "action": {…}}`."""
    return Rule(tuple(matcher(condition) for condition in described["conditions"]), described["action"])


def first_match(rules: list[Rule], asked: Asked) -> dict[str, Any]:
    """Return the action of the first rule that matches; the last one, the default, has no conditions."""
    return next(one.action for one in rules if all(matches(asked) for matches in one.matchers))


def matcher(condition: dict[str, Any]) -> Matcher:
    """Make a function that tells whether a request meets a condition."""
    return _KINDS[condition["Field"]](condition)


def location(config: Mapping[str, Any], asked: Asked, port: int) -> str:
    """Return where a redirect leads: its configuration, with the placeholders filled from the request to a port."""
    values = {"protocol": "http", "host": asked.host, "port": str(port), "path": asked.path[1:], "query": asked.query}

    def filled(name: str, usual: str) -> str:
        return re.sub(r"#\{(\w+)\}", lambda found: values.get(found[1], found[0]), config.get(name, usual))

    query = filled("Query", "#{query}")
    place = f"{filled('Protocol', '#{protocol}').lower()}://{filled('Host', '#{host}')}:{filled('Port', '#{port}')}"
    return f"{place}{filled('Path', '/#{path}')}{'?' if query else ''}{query}"


def _wildcards(patterns: list[str], flags: int = 0) -> Callable[[str], bool]:
    """`*` stands for any characters, `?` for one."""
    parts = (re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns)
    form = re.compile("|".join(parts), flags | re.DOTALL)
    return lambda text: form.fullmatch(text) is not None


def _values(condition: dict[str, Any], config: str) -> list[str]:
    return list(condition.get(config, condition)["Values"])


def _path(condition: dict[str, Any]) -> Matcher:
    matches = _wildcards(_values(condition, "PathPatternConfig"))
    return lambda asked: matches(asked.path)


def _host(condition: dict[str, Any]) -> Matcher:
    matches = _wildcards(_values(condition, "HostHeaderConfig"), re.IGNORECASE)
    return lambda asked: matches(asked.host)


def _header(condition: dict[str, Any]) -> Matcher:
    config = condition["HttpHeaderConfig"]
    matches, name = _wildcards(config["Values"], re.IGNORECASE), config["HttpHeaderName"].lower()
    return lambda asked: any(matches(value) for value in asked.head.all(name))


def _method(condition: dict[str, Any]) -> Matcher:
    methods = frozenset(condition["HttpRequestMethodConfig"]["Values"])
    return lambda asked: asked.head.line[0] in methods


def _source(condition: dict[str, Any]) -> Matcher:
    networks = [ipaddress.ip_network(block) for block in condition["SourceIpConfig"]["Values"]]
    return lambda asked: any(ipaddress.ip_address(asked.source) in network for network in networks)


def _query(condition: dict[str, Any]) -> Matcher:
    pairs = condition["QueryStringConfig"]["Values"]
    wanted = [(_wildcards([pair.get("Key") or "*"], re.I), _wildcards([pair["Value"]], re.I)) for pair in pairs]
    return lambda asked: any(
        key(name) and value(text)
        for name, text in parse_qsl(asked.query, keep_blank_values=True)
        for key, value in wanted
    )


_KINDS: dict[str, Callable[[dict[str, Any]], Matcher]] = {
    "host-header": _host,
    "http-header": _header,
    "http-request-method": _method,
    "path-pattern": _path,
    "query-string": _query,
    "source-ip": _source,
}
