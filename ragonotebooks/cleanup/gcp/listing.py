"""How resources of Google Cloud are listed: by their labels or, where a kind has none, by their description."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from ragonotebooks.cleanup.gcp.rest import Api, Json
from ragonotebooks.cleanup.kind import DELETION_PROTECTION, Found, Kind, belonging
from ragonotebooks.cleanup.ownership import Tags, told

#: The labels of an item of a list, or what it has in their place.
Labels = Callable[[Json], Tags]

_LEAVING: Final = frozenset({"DELETING", "PENDING_DELETE"})
_GONE: Final = frozenset(
    {"DELETED", "DELETE_REQUESTED"}
)  # out of use, and kept for some days so that it can be had back


def labels(item: Json) -> Tags:
    """Its labels."""
    return item.get("labels")


def user_labels(item: Json) -> Tags:
    """Its labels, as Cloud Monitoring calls them."""
    return item.get("userLabels")


def description(item: Json) -> Tags:
    """What its description tells, when its name agrees."""
    name = item["name"].rpartition("/")[2] if item["name"].startswith("projects/") else item["name"]
    return told(name, item.get("description", ""))


def made(item: Json) -> datetime | None:
    """When it was made, where its service tells."""
    moments = (item[field] for field in ("createTime", "creationTimestamp", "timeCreated") if field in item)
    return next(map(datetime.fromisoformat, moments), None)


def listed(
    service: str,
    name: str,
    path: str,
    carried: Labels = labels,
    *,
    items: str = "",
    delete: Callable[[Any, str], object] | None = None,
    protected: Callable[[Json], bool] = lambda item: False,
) -> Kind:
    """A kind that is listed by one request.

    A resource's id is its name behind the project: `locations/us-central1/services/api`.

    Args:
        service: What the API's host begins with.
        name: What a person calls such a resource.
        path: The list's path: `v2/{project}/locations/{region}/services`.
        carried: What tells whose an item is.
        items: The answer's field with the list; the path's last word unless it is told.
        delete: Deletes the resource with an id; unless it is told, by a DELETE on its name.
        protected: Whether an item's deletion protection is on.
    """
    base, _, collection = path.partition("{project}/")

    def find(api: Api) -> Iterator[Found]:
        where = collection.replace("{region}", api.region)
        for item in api.each(path, items or path.rpartition("/")[2]):
            if _state(item) not in _GONE:
                yield from belonging(
                    carried(item),
                    _id(item["name"], where),
                    made=made(item),
                    leaving=_state(item) in _LEAVING or "deleteTime" in item,
                    protected=DELETION_PROTECTION if protected(item) else "",
                    regional="{region}" in path or item.get("region") == api.region,
                )

    def remove(api: Api, which: str) -> None:
        api.start("DELETE", f"{base}{{project}}/{which}")

    return Kind(service, name, find, delete or remove)


def _id(name: str, collection: str) -> str:
    """A name behind the project, whether a service tells it whole, or its last part alone."""
    return name.split("/", 2)[2] if name.startswith("projects/") else f"{collection}/{quote(name, safe='')}"


def _state(item: Json) -> str:
    return str(item.get("state") or item.get("lifecycleState") or "")
