"""LookupEvents: the management events of a region, newest first, by one attribute and a span of time.

Source: AWS CloudTrail API reference, "LookupEvents", read 2026-11.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from ragonotebooks.sandbox.aws.errors import ApiError
from ragonotebooks.sandbox.aws.trail_records import Record, resources, user_name

_MOST: Final = 50
_ATTRIBUTES: Final[Mapping[str, Callable[[Record], list[str]]]] = {
    "EventId": lambda record: [record["eventID"]],
    "EventName": lambda record: [record["eventName"]],
    "EventSource": lambda record: [record["eventSource"]],
    "ReadOnly": lambda record: [str(record["readOnly"]).lower()],
    "ResourceName": lambda record: [
        *(one["ResourceName"] for one in resources(record)),
        *(one["ARN"] for one in record.get("resources", [])),
    ],
    "ResourceType": lambda record: [one["type"] for one in record.get("resources", []) if "type" in one],
    "Username": lambda record: [user_name(record)],
}


def lookup(records: list[Record], region: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Answer LookupEvents.

    Args:
        records: All there are, oldest first.
        region: Whose events are looked up.
        asked: The call's parameters.

    Raises:
        ApiError: They are not valid.
    """
    matches = _matcher(asked)
    found = [one for one in reversed(records) if one["managementEvent"] and one["awsRegion"] == region and matches(one)]
    start, most = _page(asked)
    if start:  # a page goes on behind the last event of the one before, whatever has happened since
        known = [one["eventID"] for one in found]
        if start not in known:
            raise ApiError("InvalidNextTokenException", "The token is of another lookup.")
        found = found[known.index(start) + 1 :]
    answer: dict[str, Any] = {"Events": [_event(one) for one in found[:most]]}
    return answer | ({"NextToken": found[most - 1]["eventID"]} if len(found) > most else {})


def _page(asked: Mapping[str, Any]) -> tuple[str | None, int]:
    most = int(asked.get("MaxResults") or _MOST)
    if not 1 <= most <= _MOST:
        raise ApiError("InvalidMaxResultsException", f"MaxResults is between 1 and {_MOST}.")
    return asked.get("NextToken"), most


def _matcher(asked: Mapping[str, Any]) -> Callable[[Record], bool]:
    attributes = asked.get("LookupAttributes") or []
    if len(attributes) > 1:
        raise ApiError("InvalidLookupAttributesException", "LookupAttributes holds one attribute at most.")
    if asked.get("EventCategory"):
        raise ApiError("InvalidEventCategoryException", "insight events are not supported by the sandbox")
    start, end = asked.get("StartTime"), asked.get("EndTime")
    if start is not None and end is not None and start > end:
        raise ApiError("InvalidTimeRangeException", "StartTime is after EndTime.")
    for one in attributes:
        if one["AttributeKey"] not in _ATTRIBUTES:
            raise ApiError(
                "InvalidLookupAttributesException",
                f"the attribute {one['AttributeKey']} is not supported by the sandbox",
            )

    def matches(record: Record) -> bool:
        moment = _time(record)
        in_time = (start is None or moment >= int(start)) and (end is None or moment <= end)
        return in_time and all(one["AttributeValue"] in _ATTRIBUTES[one["AttributeKey"]](record) for one in attributes)

    return matches


def _event(record: Record) -> dict[str, Any]:
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": str(record["readOnly"]).lower(),
        "EventTime": _time(record),
        "EventSource": record["eventSource"],
        "Username": user_name(record),
        "Resources": resources(record),
        "CloudTrailEvent": json.dumps(record),
    }


def _time(record: Record) -> float:
    return datetime.fromisoformat(record["eventTime"]).timestamp()
