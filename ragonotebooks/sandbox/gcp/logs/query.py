"""The Logging query language: the filters of list methods, with severities in their order and `log_id("…")`.

Understood besides what `filters` says: any field of an entry by its name in JSON (`resource.labels.job_name`, `jsonPayload.ms`,
`labels."a.b"`), `severity` by its name, bare words and quoted texts, which are looked for everywhere. Other functions (`SEARCH`,
`sample`, `ip_in_net`, `source`, `regexp`) and fields that no entry has are refused by name.
Source: Cloud Logging, "Logging query language", read 2026-11.
"""

import re
from typing import Any, Final

from google.cloud.logging_v2.types import LogEntry
from google.logging.type import log_severity_pb2

from ragonotebooks.sandbox.gcp import filters
from ragonotebooks.sandbox.gcp.errors import invalid
from ragonotebooks.sandbox.gcp.filters import Matches

_QUOTED: Final = r'"(?:\\.|[^"\\])*"'
_SEVERITY: Final = re.compile(rf'({_QUOTED})|\bseverity\s*(=|!=|<=|>=|<|>)\s*"?([A-Za-z]+|\d+)"?')
_LOG_ID: Final = re.compile(rf"\blog_id\(\s*({_QUOTED})\s*\)")
_FIELD: Final = re.compile(rf"{_QUOTED}|\b([A-Za-z_]\w*)((?:\.(?:[\w-]+|{_QUOTED}))*)\s*(?:=~|!~|!=|<=|>=|=|<|>|:)")
_SEVERITIES: Final[dict[str, int]] = dict(log_severity_pb2.LogSeverity.items())
_FIELDS: Final = {field.json_name for field in LogEntry.pb().DESCRIPTOR.fields} | {"logId"}


def compiled(text: str) -> Matches:
    """Return what tells whether the view of an entry matches a filter.

    Raises:
        ApiError: The filter cannot be read.
    """
    for found in _FIELD.finditer(text):
        if found[1] and found[1] not in _FIELDS:
            raise invalid(f"Unparseable filter: Field not found: '{found[1]}{found[2]}'.", {"filter": found[1]})
    plain = _LOG_ID.sub(lambda found: f"logId={found[1]}", text)
    return filters.compiled(_SEVERITY.sub(_numbered, plain))


def _numbered(found: re.Match[str]) -> str:
    if found[1]:
        return found[1]
    value = found[3].upper()
    if not value.isdigit() and value not in _SEVERITIES:
        raise invalid(f"Unparseable filter: {found[3]} is not a severity.", {"filter": found[3]})
    number = int(value) if value.isdigit() else _SEVERITIES[value]
    return f"severityNumber{found[2]}{number}"


def severity_of(name: Any) -> int:
    """The number of a severity as programs write it, also as Python's logging does; 0 (DEFAULT) for what is none."""
    word = str(name).upper()
    word = {"WARN": "WARNING", "FATAL": "CRITICAL", "ERR": "ERROR"}.get(word, word)
    return _SEVERITIES.get(word, 0)
