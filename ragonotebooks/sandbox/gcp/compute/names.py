"""Names of Compute Engine's resources: references in all their forms, and whether there is what they name."""

import re
from collections.abc import Iterator
from typing import Any, Final

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unmet

Json = dict[str, Any]

HOST: Final = "compute.googleapis.com"
_URL: Final = re.compile(r"https://(?:www|compute)\.googleapis\.com/compute/(?:v1|beta)/")
_NAME: Final = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")

#: Regions, a selection. Source: Google Cloud, "Available regions and zones", Compute Engine documentation, read 2026-11.
REGIONS: Final = (
    *("asia-east1", "asia-northeast1", "asia-south1", "asia-southeast1", "australia-southeast1"),
    *("europe-central2", "europe-north1", "europe-southwest1", "europe-west1", "europe-west2", "europe-west3"),
    *("europe-west4", "europe-west6", "europe-west8", "europe-west9", "northamerica-northeast1", "southamerica-east1"),
    *("us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1", "us-west2", "us-west4"),
)


def url_of(path: str) -> str:
    """The URL of a resource given by its path, `projects/p/global/networks/n`."""
    return f"https://www.googleapis.com/compute/v1/{path}"


def path_of(cloud: Cloud, reference: str) -> str:
    """The path of a resource given by its URL, by its path, or by what of its path is behind the project."""
    path = _URL.sub("", reference).strip("/")
    if not path.startswith("projects/"):
        path = f"{cloud.project.name}/{path}"
    return cloud.project.canonical(path, numbered=False)


def find(cloud: Cloud, reference: str) -> Json | None:
    """Return the resource that a reference means, None when there is none."""
    return cloud.store.find(HOST, path_of(cloud, reference))


def referenced(cloud: Cloud, field: str, reference: str, collection: str) -> Json:
    """Return the resource that a field of a request refers to.

    Raises:
        ApiError: There is none, or it is not of the collection.
    """
    path = path_of(cloud, reference)
    found: Json | None = cloud.store.find(HOST, path) if path.split("/")[-2] == collection else None
    if found is None:
        text = f"Invalid value for field '{field}': '{reference}'. The referenced {collection[:-1]} resource cannot be found."
        raise invalid(text, {field: "not found"})
    return found


def check_name(name: str) -> None:
    """Refuse a name that no resource can have (RFC 1035)."""
    if not _NAME.fullmatch(name):
        text = f"Invalid value for field 'resource.name': '{name}'. Must be a match of regex '{_NAME.pattern}'"
        raise invalid(text, {"resource.name": "malformed"})


def check_region(region: str) -> None:
    """Refuse a region that does not exist."""
    if region not in REGIONS:
        raise invalid(f"Invalid value for field 'region': '{region}'. Unknown region.", {"region": "unknown"})


def of_network(cloud: Cloud, network: str, collection: str) -> Iterator[Json]:
    """Yield the resources of a collection that are in a network, given by its URL.

    Args:
        cloud: The cloud.
        network: The network's URL.
        collection: `global/firewalls`, or `regions/-/subnetworks`.
    """
    for entry in cloud.store.children(HOST, f"{cloud.project.name}/{collection}"):
        if entry.resource.get("network") == network:
            yield entry.resource


def short(url: str) -> str:
    """A resource's path, as messages name it."""
    return _URL.sub("", url)


def in_use(resource: Json, user: str) -> ApiError:
    """The refusal to delete what something else uses."""
    kind = resource["kind"].partition("#")[2]
    text = f"The {kind} resource '{short(resource['selfLink'])}' is already being used by '{short(user)}'"
    return unmet(text)
