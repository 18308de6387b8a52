"""Cloud Audit Logs: who made a resource, and when. Admin Activity is always written, and kept for 400 days.

Source: Google Cloud, "Cloud Audit Logs overview", read 2026-11.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from ragonotebooks.cleanup.gcp.rest import Api, Json
from ragonotebooks.cleanup.kind import Found, Making

_VERBS: Final = ("create", "insert")
_AROUND: Final = timedelta(minutes=5)


def making(logging: Api, found: Found) -> Making | None:
    """Return what the audit log knows of the call that made a resource."""
    name = f"/{found.id.rpartition('/')[2]}"
    wanted = f'log_id("cloudaudit.googleapis.com/activity") protoPayload.resourceName:"{name}"'
    if found.made:
        wanted += f' timestamp>="{_spelled(found.made - _AROUND)}" timestamp<="{_spelled(found.made + _AROUND)}"'
    body = {"resourceNames": [f"projects/{logging.project}"], "filter": wanted, "orderBy": "timestamp asc"}
    made = (entry for entry in _entries(logging, body) if _makes(entry["protoPayload"], name))
    if (entry := next(made, None)) is None:
        return None
    return Making(
        entry["protoPayload"]["authenticationInfo"]["principalEmail"], datetime.fromisoformat(entry["timestamp"])
    )


def _entries(logging: Api, body: Json) -> Iterator[Json]:
    more: Json = {}
    while True:
        answer = logging.call("POST", "v2/entries:list", body | more)
        yield from answer.get("entries", [])
        if not answer.get("nextPageToken"):
            return
        more = {"pageToken": answer["nextPageToken"]}


def _makes(call: Json, name: str) -> bool:
    verb = call["methodName"].rpartition(".")[2].lower()
    done = verb.startswith(_VERBS) and not call.get("status", {}).get("code")
    return done and call["resourceName"].endswith(name) and "principalEmail" in call.get("authenticationInfo", {})


def _spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
