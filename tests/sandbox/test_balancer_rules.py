"""Conditions of listener rules, each with a request that meets it or not."""

from typing import Any

import pytest

from ragonotebooks.sandbox.parts.balancer.http1 import Head
from ragonotebooks.sandbox.parts.balancer.rules import Asked, first_match, location, matcher, rule

QUERY = "version=v1&empty="


def asked(path: str = "/api/search", host: str = "www.example.com") -> Asked:
    head = Head(("GET", path, "HTTP/1.1"), [("User-Agent", "Mozilla/5.0 Firefox"), ("X-Team", "blue")])
    return Asked(head, host, path, QUERY, "203.0.113.10")


def condition(field: str, config: dict[str, Any]) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in field.split("-"))
    return {"Field": field, f"{name}Config": config}


@pytest.mark.parametrize(
    ("pattern", "path", "meets"),
    [
        ("/api/*", "/api/search", True),
        ("/api/*", "/API/search", False),
        ("/api", "/api/search", False),
        ("/a?i/search", "/api/search", True),
        ("*", "/", True),
        ("/a.c", "/abc", False),
        ("/[ab]", "/a", False),
    ],
)
def test_a_path_is_matched_whole_with_its_case(pattern: str, path: str, meets: bool) -> None:
    assert matcher(condition("path-pattern", {"Values": [pattern]}))(asked(path)) is meets
    assert matcher({"Field": "path-pattern", "Values": [pattern]})(asked(path)) is meets


@pytest.mark.parametrize(
    ("kind", "config", "meets"),
    [
        ("host-header", {"Values": ["*.EXAMPLE.com"]}, True),
        ("host-header", {"Values": ["example.com", "api.example.com"]}, False),
        ("http-header", {"HttpHeaderName": "user-agent", "Values": ["*firefox*"]}, True),
        ("http-header", {"HttpHeaderName": "X-Team", "Values": ["red", "green"]}, False),
        ("http-header", {"HttpHeaderName": "X-None", "Values": ["*"]}, False),
        ("http-request-method", {"Values": ["POST", "GET"]}, True),
        ("http-request-method", {"Values": ["POST"]}, False),
        ("query-string", {"Values": [{"Key": "version", "Value": "V?"}]}, True),
        ("query-string", {"Values": [{"Value": "v1"}]}, True),
        ("query-string", {"Values": [{"Key": "empty", "Value": ""}]}, True),
        ("query-string", {"Values": [{"Key": "version", "Value": "v2"}]}, False),
        ("source-ip", {"Values": ["198.51.100.0/24", "203.0.113.0/24"]}, True),
        ("source-ip", {"Values": ["198.51.100.0/24"]}, False),
    ],
)
def test_a_condition_is_met_or_not(kind: str, config: dict[str, Any], meets: bool) -> None:
    assert matcher(condition(kind, config))(asked()) is meets


def test_all_conditions_of_a_rule_must_be_met_and_the_first_rule_wins() -> None:
    path, team = condition("path-pattern", {"Values": ["/api/*"]}), {"HttpHeaderName": "X-Team", "Values": ["red"]}
    rules = [
        rule({"conditions": [path, condition("http-header", team)], "action": {"Type": "red"}}),
        rule({"conditions": [path], "action": {"Type": "api"}}),
        rule({"conditions": [], "action": {"Type": "default"}}),
    ]
    assert first_match(rules, asked()) == {"Type": "api"}
    assert first_match(rules, asked("/other")) == {"Type": "default"}


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"Protocol": "HTTPS", "Port": "443"}, f"https://www.example.com:443/api/search?{QUERY}"),
        ({"Host": "new.example.com", "Query": ""}, "http://new.example.com:80/api/search"),
        (
            {"Path": "/v2/#{path}", "Query": "from=#{host}&#{query}"},
            f"http://www.example.com:80/v2/api/search?from=www.example.com&{QUERY}",
        ),
    ],
)
def test_a_redirect_keeps_what_it_does_not_change(config: dict[str, Any], place: str) -> None:
    assert location(config, asked(), 80) == place
