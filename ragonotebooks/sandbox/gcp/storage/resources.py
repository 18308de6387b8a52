"""What the JSON API shows of buckets and objects, and what of it a caller may set."""

import re
from typing import Any, Final
from urllib.parse import quote

from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.storage.model import Bucket, Content, Json, Version, etag, now

_BASE: Final = "https://www.googleapis.com/storage/v1"
_DOWNLOAD: Final = "https://storage.googleapis.com/download/storage/v1"
_BUCKET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_CLASSES: Final = (
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
)
_MULTI: Final = ("US", "EU", "ASIA")
_BUCKET_FIELDS: Final = frozenset(
    (
        "autoclass",
        "billing",
        "cors",
        "defaultEventBasedHold",
        "hierarchicalNamespace",
        "iamConfiguration",
        "labels",
        "lifecycle",
        "location",
        "logging",
        "name",
        "rpo",
        "softDeletePolicy",
        "storageClass",
        "versioning",
        "website",
    )
)
_BUCKET_REFUSED: Final = ("encryption", "retentionPolicy", "customPlacementConfig", "objectRetention", "ipFilter")
OBJECT_FIELDS: Final = frozenset(
    (
        "cacheControl",
        "contentDisposition",
        "contentEncoding",
        "contentLanguage",
        "contentType",
        "customTime",
        "eventBasedHold",
        "metadata",
        "storageClass",
        "temporaryHold",
    )
)
_OBJECT_REFUSED: Final = ("kmsKeyName", "retention", "customerEncryption")


def new_bucket(wanted: Json, number: str) -> Bucket:
    """Return a bucket as a caller wants it.

    Raises:
        ApiError: The name or a setting cannot be.
    """
    name = wanted.get("name", "")
    if not isinstance(name, str) or not _BUCKET_NAME.fullmatch(name) or name.startswith("goog"):
        raise invalid(f"Invalid bucket name: '{name}'")
    location = wanted.get("location", "US").upper()
    meta: Json = {
        "kind": "storage#bucket",
        "id": name,
        "selfLink": f"{_BASE}/b/{name}",
        "name": name,
        "projectNumber": number,
        "metageneration": "1",
        "location": location,
        "locationType": "multi-region" if location in _MULTI else "region" if "-" in location else "dual-region",
        "storageClass": "STANDARD",
        "timeCreated": now(),
        "updated": now(),
        "iamConfiguration": {},
    }
    bucket = Bucket(meta)
    change_bucket(bucket, {key: value for key, value in wanted.items() if key not in ("name", "location")}, grown=False)
    return bucket


def change_bucket(bucket: Bucket, change: Json, *, grown: bool = True) -> None:
    """Set what a caller wants of a bucket; null takes a setting away. `grown`: whether this is a change of one that was there."""
    for key in _BUCKET_REFUSED:
        if change.get(key):
            raise unsupported(f"storage.googleapis.com: the bucket setting {key}")
    if int(change.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0)):
        raise unsupported("storage.googleapis.com: the bucket setting softDeletePolicy")
    if (wanted := change.get("storageClass")) and wanted.upper() not in _CLASSES:
        raise invalid(f"Invalid storage class {wanted}")
    for key, value in change.items():
        if key in _BUCKET_FIELDS and key not in ("name", "location"):
            bucket.meta[key] = merged(bucket.meta.get(key), value)
            if bucket.meta[key] in (None, {}):
                del bucket.meta[key]
    _complete_access(bucket.meta)
    if grown:
        bucket.meta["metageneration"] = str(int(bucket.meta["metageneration"]) + 1)
    bucket.meta["updated"] = now()
    bucket.meta["etag"] = etag(bucket.name, bucket.meta["metageneration"])


def _complete_access(meta: Json) -> None:
    access = meta.setdefault("iamConfiguration", {})
    access.setdefault("publicAccessPrevention", "inherited")
    # the older spelling, which the API still answers
    uniform = access.setdefault("uniformBucketLevelAccess", access.get("bucketPolicyOnly") or {"enabled": False})
    if uniform.get("enabled") and "lockedTime" not in uniform:
        uniform["lockedTime"] = now()
    access["bucketPolicyOnly"] = dict(uniform)


def merged(before: Any, change: Any) -> Any:
    """JSON merge patch (RFC 7396)."""
    if not isinstance(change, dict):
        return change
    whole = dict(before) if isinstance(before, dict) else {}
    for key, value in change.items():
        if value is None:
            whole.pop(key, None)
        else:
            whole[key] = merged(whole.get(key), value)
    return whole


def new_version(bucket: Bucket, name: str, wanted: Json, content: Content, generation: int) -> Version:
    """Return a generation of an object. What is wrong with it is told before anything is kept."""
    if not name or len(name.encode()) > 1024 or any(sign in name for sign in "\r\n"):
        raise invalid(f"Invalid object name: {name!r}" if name else "Required parameter: name")
    for key in _OBJECT_REFUSED:
        if wanted.get(key):
            raise unsupported(f"storage.googleapis.com: the object setting {key}")
    for key, actual in (("md5Hash", content.md5), ("crc32c", content.crc32c)):
        if wanted.get(key) and wanted[key] != actual:
            raise invalid(f"Provided {key} hash {wanted[key]!r} doesn't match calculated {key} hash {actual!r}.")
    meta: Json = {
        "kind": "storage#object",
        "name": name,
        "bucket": bucket.name,
        "generation": str(generation),
        "metageneration": "1",
        "contentType": "application/octet-stream",
        "storageClass": bucket.meta["storageClass"],
        "size": str(content.size),
        "md5Hash": content.md5,
        "crc32c": content.crc32c,
        "timeCreated": now(),
        "timeFinalized": now(),
        "timeStorageClassUpdated": now(),
        **{key: value for key, value in wanted.items() if key in OBJECT_FIELDS and value not in (None, {}, "")},
    }
    if bucket.meta.get("defaultEventBasedHold"):
        meta.setdefault("eventBasedHold", True)
    version = Version(meta, content)
    refresh(version)
    return version


def refresh(version: Version) -> None:
    """Set what follows from the rest of an object's resource."""
    meta = version.meta
    bucket, name, generation = meta["bucket"], quoted(meta["name"]), meta["generation"]
    meta["id"] = f"{bucket}/{meta['name']}/{generation}"
    meta["selfLink"] = f"{_BASE}/b/{bucket}/o/{name}"
    meta["mediaLink"] = f"{_DOWNLOAD}/b/{bucket}/o/{name}?generation={generation}&alt=media"
    meta["etag"] = etag(generation, meta["metageneration"])
    meta["updated"] = now()


def change_object(version: Version, change: Json, *, whole: bool = False) -> None:
    """Set what a caller wants of an object's resource; `whole` when the rest is to go."""
    for key in _OBJECT_REFUSED:
        if change.get(key):
            raise unsupported(f"storage.googleapis.com: the object setting {key}")
    meta = version.meta
    if (wanted := change.get("storageClass", meta["storageClass"])) != meta["storageClass"]:
        raise invalid(f"The storage class of an object changes by a rewrite, not to {wanted} by an update.")
    for key in OBJECT_FIELDS - {"storageClass"}:
        if whole:
            meta.pop(key, None)
        if key in change:
            meta[key] = merged(meta.get(key), change[key])
        if meta.get(key) in (None, {}):
            meta.pop(key, None)
    meta["metageneration"] = str(int(meta["metageneration"]) + 1)
    refresh(version)


def quoted(name: str) -> str:
    """An object's name as one segment of a URL."""
    return quote(name, safe="")


def check(
    parameters: dict[str, str], generation: int, metageneration: int, *, reads: bool = False, prefix: str = "if"
) -> None:
    """Hold a request to its preconditions.

    Args:
        parameters: Of the request: `ifGenerationMatch` and its like.
        generation: What is there; 0 when nothing is.
        metageneration: Of what is there.
        reads: Whether the request only reads: what did not change is then no error but "not modified".
        prefix: `ifSource` for the source of a copy.

    Raises:
        ApiError: One does not hold.
    """
    for name, actual in (("Generation", generation), ("Metageneration", metageneration)):
        wanted = parameters.get(f"{prefix}{name}Match")
        unwanted = parameters.get(f"{prefix}{name}NotMatch")
        if wanted is not None and int(wanted) != actual:
            raise not_met(f"{prefix}{name}Match")
        if unwanted is not None and int(unwanted) == actual:
            if reads:
                raise ApiError("FAILED_PRECONDITION", "Not Modified", "notModified", status_code=304)
            raise not_met(f"{prefix}{name}NotMatch")


def not_met(name: str) -> ApiError:
    """A precondition does not hold."""
    message = f"At least one of the pre-conditions you specified did not hold: {name}."
    return ApiError("FAILED_PRECONDITION", message, "conditionNotMet", status_code=412)
