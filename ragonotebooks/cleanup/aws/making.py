"""CloudTrail: who made a resource, and when. It remembers the management calls of 90 days, with no trail set up.

Source: AWS CloudTrail user guide, "Working with CloudTrail event history", read 2026-11.
"""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages
from ragonotebooks.cleanup.kind import Found, Making

_VERBS: Final = ("Create", "Register", "Allocate")
_BEFORE: Final = timedelta(hours=1)  # a database's date is when it was ready, not when it was asked for
_AFTER: Final = timedelta(minutes=5)


def making(cloudtrail: Any, found: Found) -> Making | None:
    """Return what CloudTrail knows of the call that made a resource."""
    span = {"StartTime": found.made - _BEFORE, "EndTime": found.made + _AFTER} if found.made else {}
    named = [{"AttributeKey": "ResourceName", "AttributeValue": found.id}]
    events = pages(cloudtrail, "lookup_events", "Events", LookupAttributes=named, **span)
    records = [json.loads(event["CloudTrailEvent"]) for event in events]
    made = [
        Making(one["userIdentity"]["arn"], datetime.fromisoformat(one["eventTime"])) for one in records if _makes(one)
    ]
    # what is made inside of it, or for it, names it too, and comes later
    return min(made, key=lambda one: one.when, default=None)


def _makes(record: Any) -> bool:
    done = record["eventName"].startswith(_VERBS) and "errorCode" not in record
    return done and "arn" in record["userIdentity"]
