"""Cloud Storage, Cloud SQL, Memorystore and Secret Manager: what holds the deployment's data."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from ragonotebooks.cleanup.gcp.listing import labels, listed, made
from ragonotebooks.cleanup.gcp.rest import Api, Json
from ragonotebooks.cleanup.kind import Found, Kind, belonging
from ragonotebooks.cleanup.ownership import Tags


def _find_buckets(storage: Api) -> Iterator[Found]:
    for bucket in storage.each("storage/v1/b", "items", project=storage.project):
        here = bucket["location"].lower() == storage.region
        yield from belonging(labels(bucket), bucket["name"], made=made(bucket), regional=here)


def _delete_bucket(storage: Api, name: str) -> None:
    path = f"storage/v1/b/{name}"
    for one in list(storage.each(f"{path}/o", "items", versions="true", fields="items(name,generation),nextPageToken")):
        storage.call("DELETE", f"{path}/o/{quote(one['name'], safe='')}", generation=one["generation"])
    storage.call("DELETE", path)


def _sql_labels(instance: Json) -> Tags:
    labels: Tags = instance["settings"].get("userLabels")
    return labels


def _sql_protected(instance: Json) -> bool:
    return bool(instance["settings"].get("deletionProtectionEnabled"))


BUCKETS: Final = Kind("storage", "bucket", _find_buckets, _delete_bucket)
DATABASES: Final = listed(
    "sqladmin",
    "database instance",
    "v1/{project}/instances",
    _sql_labels,
    items="items",
    protected=_sql_protected,
)
CACHES: Final = listed("redis", "Redis instance", "v1/{project}/locations/{region}/instances")
SECRETS: Final = listed("secretmanager", "secret", "v1/{project}/secrets")
