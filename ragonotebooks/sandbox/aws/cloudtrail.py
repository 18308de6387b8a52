"""CloudTrail: events are looked up in the sandbox's ledger, and trails deliver them to their buckets as files.

moto keeps the trails. Insights, data stores, notifications and encryption with a key of your own are refused by name; digest files
are not made.
Source: AWS CloudTrail user guide, "Amazon S3 bucket policy for CloudTrail" and "CloudTrail log file name format", read 2026-11.
"""

import gzip
import json
import secrets
import sys
import threading
import time
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from moto.cloudtrail import models
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.utils import utcnow
from moto.s3.models import s3_backends

from ragonotebooks.sandbox.aws import s3, trail_lookup, trail_selectors
from ragonotebooks.sandbox.aws.errors import ApiError, unsupported
from ragonotebooks.sandbox.aws.patterns import Context as Keys
from ragonotebooks.sandbox.aws.policy import evaluate
from ragonotebooks.sandbox.aws.trail_records import Record, is_recorded, record_of
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.ledger import FILE_NAME, Call, parse

_SECONDS_BETWEEN: Final = 2.0
_PRINCIPAL: Final = frozenset({"Service:cloudtrail.amazonaws.com"})
_GLOBAL: Final = ("iam.amazonaws.com", "sts.amazonaws.com")
_LACKING: Final = ("SnsTopicName", "CloudWatchLogsLogGroupArn", "KmsKeyId", "IsOrganizationTrail")


class Trails:
    """The controller.

    Args:
        context: The daemon's shared parts.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._records: list[Record | None] = []
        self._offset = 0
        self._delivered: dict[str, int] = {}
        self._delivering: threading.Thread | None = None

    def records(self, start: int = 0) -> list[Record]:
        """Return what the ledger holds from this call on, oldest first. The caller holds the lock."""
        with (self._context.folder / FILE_NAME).open("rb") as file:
            file.seek(self._offset)
            lines = file.read().rpartition(b"\n")[0]
        for line in lines.splitlines():
            self._records.append(self._record(parse(line)))
        self._offset += len(lines) + bool(lines)
        return [one for one in self._records[start:] if one]

    def start(self, trail: Any) -> None:
        """Deliver to a trail what happens from now on."""
        self.records()
        self._delivered[trail.arn] = len(self._records)
        if self._delivering is None:
            self._delivering = threading.Thread(target=self._run, name="trails", daemon=True)
            self._delivering.start()

    def stop(self, arn: str) -> None:
        """Deliver no more to a trail."""
        self._delivered.pop(arn, None)

    def deliver(self) -> None:
        """Deliver to each trail what is new. The caller holds the lock."""
        trails = {trail.arn: trail for _, _, one in _backends() for trail in one.trails.values()}
        for arn, place in list(self._delivered.items()):
            records = [one for one in self.records(place) if _wants(trails[arn], one)]
            self._delivered[arn] = len(self._records)
            for region, found in groupby(sorted(records, key=_region), key=_region):
                self._put(trails[arn], region, list(found))

    def _record(self, call: Call) -> Record | None:
        state = self._context.state
        return record_of(call, len(self._records), state.name, state.account) if is_recorded(call) else None

    def _put(self, trail: Any, region: str, records: list[Record]) -> None:
        try:
            require_access(trail)
            data = gzip.compress(json.dumps({"Records": records}).encode())
            s3_backends[trail.account_id]["aws"].put_object(trail.bucket_name, _key(trail, region), data)
        except ApiError as refusal:
            trail.status.failure = refusal.code
        else:
            trail.status.failure, trail.status.latest_delivery_time = None, int(time.time())

    def _run(self) -> None:
        while True:
            time.sleep(_SECONDS_BETWEEN)
            try:
                with self._context.lock:
                    self.deliver()
            except OSError as error:
                print(f"trails: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the daemon's log


class Status(models.TrailStatus):
    """When a trail was last delivered to, and why not."""

    failure: str | None = None

    def description(self) -> dict[str, Any]:
        """The status as the API tells it."""
        told: dict[str, Any] = {"IsLogging": self.is_logging}
        for name, moment in (("Start", self.started), ("Stop", self.stopped)):
            if moment:
                told[f"{name}LoggingTime"] = moment.replace(tzinfo=UTC).timestamp()
        if self.latest_delivery_time:
            told["LatestDeliveryTime"] = self.latest_delivery_time
        return told | ({"LatestDeliveryError": self.failure} if self.failure else {})

    def start_logging(self) -> None:
        """Start; nothing has been delivered by that."""
        self.is_logging, self.started = True, utcnow()


class Backend(models.CloudTrailBackend):
    """moto's backend; a trail's bucket has to let CloudTrail in, and selectors have to be ones that can be followed."""

    # moto derives an API's URLs from the module that its backend is defined in
    __module__ = "moto.cloudtrail.models"

    def create_trail(self, name: str, *args: Any, **more: Any) -> Any:
        """Make a trail; it does not log yet."""
        if name in self.trails:
            raise ApiError(
                "TrailAlreadyExistsException", f"Trail {name} already exists for customer: {self.account_id}"
            )
        trail: Any = super().create_trail(name, *args, **more)
        trail.status = Status()
        try:
            require_access(trail)
        except ApiError:
            super().delete_trail(name)
            raise
        return trail

    def update_trail(self, name: str, *args: Any, **more: Any) -> Any:
        """Change a trail; one whose bucket does not let CloudTrail in stays as it was."""
        trail: Any = self.get_trail(name)
        before = dict(vars(trail))
        super().update_trail(name, *args, **more)
        try:
            trail.check_bucket_exists()
            require_access(trail)
        except Exception:
            vars(trail).update(before)
            raise
        return trail

    def put_event_selectors(self, trail_name: str, event_selectors: Any, advanced_event_selectors: Any) -> Any:
        """Choose what a trail writes down."""
        basic, advanced = event_selectors or [], advanced_event_selectors or []
        trail = self.get_trail(trail_name)
        trail_selectors.check(basic, advanced)
        trail.event_selectors, trail.advanced_event_selectors = basic, advanced
        return trail.arn, basic, advanced

    def get_event_selectors(self, trail_name: str) -> Any:
        """What a trail writes down."""
        arn, basic, advanced = super().get_event_selectors(trail_name)
        return arn, basic or ([] if advanced else [dict(trail_selectors.DEFAULT)]), advanced


def of(context: Context) -> Trails:
    """Return the sandbox's CloudTrail; the first call puts it behind moto's."""
    return context.part(Trails, lambda: _install(context))


def _install(context: Context) -> Trails:
    models.cloudtrail_backends.backend = Backend
    trails = Trails(context)

    def start_logging(self: Any, name: str) -> None:
        trail = self.get_trail(name)
        if not trail.status.is_logging:
            trail.start_logging()
            trails.start(trail)

    def stop_logging(self: Any, name: str) -> None:
        trail = self.get_trail(name)
        trail.stop_logging()
        trails.deliver()
        trails.stop(trail.arn)

    def delete_trail(self: Any, name: str) -> None:
        trail = self.get_trail(name)
        trails.stop(trail.arn)
        del self.trails[trail.trail_name]

    backend: Any = Backend
    backend.start_logging, backend.stop_logging, backend.delete_trail = start_logging, stop_logging, delete_trail
    responses: Any = CloudTrailResponse
    for action in ("create_trail", "update_trail"):
        setattr(responses, action, _refusing(getattr(responses, action)))
    responses.lookup_events = lambda self: json.dumps(
        trail_lookup.lookup(trails.records(), self.region, json.loads(self.body))
    )
    responses.put_insight_selectors = lambda self: _raise(unsupported("cloudtrail", "PutInsightSelectors"))
    return trails


def require_access(trail: Any) -> None:
    """Raise an ApiError unless the policy of a trail's bucket lets CloudTrail read its ACL and write."""
    arn = f"arn:aws:s3:::{trail.bucket_name}"
    bucket = s3.bucket_of(arn, trail.account_id)
    policies = [bucket.policy.decode()] if bucket and bucket.policy else []
    keys = Keys(
        {
            "aws:SourceArn": trail.arn,
            "aws:SourceAccount": trail.account_id,
            "aws:SecureTransport": "true",
            "s3:x-amz-acl": "bucket-owner-full-control",
        }
    )
    wanted = (("s3:GetBucketAcl", arn), ("s3:PutObject", f"{arn}/{_folder(trail)}/CloudTrail/"))
    if not all(evaluate(policies, action, where, keys, _PRINCIPAL).allowed for action, where in wanted):
        raise ApiError(
            "InsufficientS3BucketPolicyException",
            f"Incorrect S3 bucket policy is detected for bucket: {trail.bucket_name}",
        )


def _refusing(answer: Any) -> Any:
    def checked(self: Any) -> Any:
        for name in _LACKING:
            if json.loads(self.body).get(name):
                raise ApiError("NotImplemented", f"{name} of a trail is not supported by the sandbox")
        return answer(self)

    return checked


def _raise(error: Exception) -> Any:
    raise error


def _wants(trail: Any, record: Record) -> bool:
    here = record["awsRegion"] == trail.region_name
    everywhere = trail.include_global_service_events and record["eventSource"] in _GLOBAL
    if not (here or everywhere or trail.is_multi_region):
        return False
    return trail_selectors.selects(trail.event_selectors, trail.advanced_event_selectors, record)


def _region(record: Record) -> str:
    return str(record["awsRegion"])


def _folder(trail: Any) -> str:
    return "/".join(part for part in (trail.s3_key_prefix, "AWSLogs", trail.account_id) if part)


def _key(trail: Any, region: str) -> str:
    now = datetime.now(UTC)
    name = f"{trail.account_id}_CloudTrail_{region}_{now:%Y%m%dT%H%MZ}_{secrets.token_hex(8)}.json.gz"
    return f"{_folder(trail)}/CloudTrail/{region}/{now:%Y/%m/%d}/{name}"


def _backends() -> Any:
    return models.cloudtrail_backends.iter_backends()
