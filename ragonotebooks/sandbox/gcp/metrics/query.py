"""Monitoring filters: which time series are meant, by metric, resource and labels.

Understood: comparisons of `metric.type`, `metric.labels.x`, `resource.type`, `resource.labels.x` and `project`, joined by AND, OR
and NOT, and the functions `starts_with`, `ends_with`, `has_substring`, `one_of` and `monitoring.regex.full_match`. Groups and
metadata are refused by name. Source: Cloud Monitoring, "Monitoring filters", read 2026-11.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from ragonotebooks.sandbox.gcp import filters
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported
from ragonotebooks.sandbox.gcp.filters import Matches

_QUOTED: Final = r'"(?:\\.|[^"\\])*"'
_LABEL: Final = re.compile(rf"({_QUOTED})|\b(metric|resource)\.label\.")
_FIELD: Final = re.compile(rf"{_QUOTED}|\b([A-Za-z_]\w*)[\w.]*(?:{_QUOTED})?\s*(?:!=|<=|>=|=|<|>|:)")
_CALL: Final = re.compile(rf"(=|!=)\s*(?:([a-z_.]+)\s*\(((?:{_QUOTED}|[^)\"])*)\)|({_QUOTED}))")
_FUNCTIONS: Final[dict[str, Callable[[list[str]], str]]] = {
    "": lambda words: f"^{re.escape(words[0])}$",
    "starts_with": lambda words: f"^{re.escape(words[0])}",
    "ends_with": lambda words: f"{re.escape(words[0])}$",
    "has_substring": lambda words: re.escape(words[0]),
    "one_of": lambda words: f"^(?:{'|'.join(map(re.escape, words))})$",
    "monitoring.regex.full_match": lambda words: f"^(?:{words[0]})$",
}


@lru_cache(maxsize=256)
def compiled(text: str) -> Matches:
    """Return what tells whether the view of a subject matches a filter.

    Raises:
        ApiError: The filter cannot be read.
    """
    for found in _FIELD.finditer(text):
        if found[1] in ("group", "metadata"):
            raise unsupported(f"monitoring.googleapis.com the field {found[1]} in filters")
        if found[1] and found[1] not in ("metric", "resource", "project"):
            raise invalid(f"Field not found in the filter: {found[1]!r}.", {"filter": found[1]})
    plain = _LABEL.sub(lambda found: found[1] or f"{found[2]}.labels.", text)
    return filters.compiled(_CALL.sub(_as_pattern, plain))


def of_metric(text: str) -> Matches:
    """As `compiled`, for a filter that must say which metric is meant."""
    if "metric.type" not in text:
        raise invalid('The filter must name a metric: metric.type = "…".', {"filter": "metric.type is missing"})
    return compiled(text)


def _as_pattern(found: re.Match[str]) -> str:
    """A comparison with a text, or by a function, as one with a pattern, which respects upper and lower case."""
    name = found[2] or ""
    if name not in _FUNCTIONS:
        raise unsupported(f"monitoring.googleapis.com the function {name} in filters")
    words = [re.sub(r"\\(.)", r"\1", one[1:-1]) for one in re.findall(_QUOTED, found[4] or found[3])]
    if not words:
        raise invalid(f"The function {name} of the filter takes texts.", {"filter": name})
    pattern = _FUNCTIONS[name](words).replace("\\", "\\\\").replace('"', '\\"')
    return f'{"=~" if found[1] == "=" else "!~"}"{pattern}"'
