"""How resources of Google Cloud are listed: by their labels or, where a kind has none, by their description."""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

from ragonotebooks.cleanup.gcp.rest import Api, Json
from ragonotebooks.cleanup.kind import Found, Kind
from ragonotebooks.cleanup.ownership import Ownership

#: Whether an item of a list is the deployment's.
Owns = Callable[[Ownership, Json], bool]

_LEAVING: Final = frozenset({"DELETING", "PENDING_DELETE"})
_GONE: Final = frozenset(
    {"DELETED", "DELETE_REQUESTED"}
)  # out of use, and kept for some days so that it can be had back


def labelled(owner: Ownership, item: Json) -> bool:
    """By its labels."""
    return owner.covers(item.get("labels"))


def user_labelled(owner: Ownership, item: Json) -> bool:
    """By its labels, as Cloud Monitoring calls them."""
    return owner.covers(item.get("userLabels"))


def described(owner: Ownership, item: Json) -> bool:
    """By its description, and its name."""
    name = item["name"].rpartition("/")[2] if item["name"].startswith("projects/") else item["name"]
    return owner.marks(name, item.get("description", ""))


def listed(
    service: str,
    name: str,
    path: str,
    owns: Owns = labelled,
    *,
    items: str = "",
    delete: Callable[[Any, str], object] | None = None,
) -> Kind:
    """A kind that is listed by one request.

    A resource's id is its name behind the project: `locations/us-central1/services/api`.

    Args:
        service: What the API's host begins with.
        name: What a person calls such a resource.
        path: The list's path: `v2/{project}/locations/{region}/services`.
        owns: Whether an item is the deployment's.
        items: The answer's field with the list; the path's last word unless it is told.
        delete: Deletes the resource with an id; unless it is told, by a DELETE on its name.
    """
    base, _, collection = path.partition("{project}/")

    def find(api: Api, owner: Ownership) -> Iterator[Found]:
        where = collection.replace("{region}", api.region)
        for item in api.each(path, items or path.rpartition("/")[2]):
            if owns(owner, item) and _state(item) not in _GONE:
                yield Found(_id(item["name"], where), _state(item) in _LEAVING or "deleteTime" in item)

    def remove(api: Api, which: str) -> None:
        api.start("DELETE", f"{base}{{project}}/{which}")

    return Kind(service, name, find, delete or remove)


def _id(name: str, collection: str) -> str:
    """A name behind the project, whether a service tells it whole, or its last part alone."""
    return name.split("/", 2)[2] if name.startswith("projects/") else f"{collection}/{quote(name, safe='')}"


def _state(item: Json) -> str:
    return str(item.get("state") or item.get("lifecycleState") or "")
