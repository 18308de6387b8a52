"""A docker repository for tests, and images that run Python, pushed with the registry client that notebooks use."""

from collections.abc import Sequence
from typing import Any

import google.auth
import google.auth.transport.requests
from google.api_core.exceptions import AlreadyExists
from google.cloud import artifactregistry_v1

from ragonotebooks.images import Image, Registry, append, layer_of_distributions, layer_of_files
from tests.sandbox.gcp.conftest import PROJECT

REGION = "us-central1"
LOCATION = f"{PROJECT}/locations/{REGION}"
HOST = f"{REGION}-docker.pkg.dev"
_EMPTY: dict[str, Any] = {
    "architecture": "amd64",
    "os": "linux",
    "config": {},
    "rootfs": {"type": "layers", "diff_ids": []},
}


def make_repository(name: str, **more: Any) -> artifactregistry_v1.Repository:
    """Make a docker repository, unless it is there."""
    client = artifactregistry_v1.ArtifactRegistryClient()
    repository = artifactregistry_v1.Repository(format_="DOCKER", **more)
    request = {"parent": LOCATION, "repository_id": name, "repository": repository}
    try:
        return client.create_repository(request=request).result(timeout=60)
    except AlreadyExists:
        return client.get_repository(name=f"{LOCATION}/repositories/{name}")


def token_of_the_operator() -> str:
    """An access token of the person at the keyboard."""
    credentials, _ = google.auth.default()
    credentials.refresh(google.auth.transport.requests.Request())
    return str(credentials.token)


def registry(token: str | None = None) -> Registry:
    """The registry, logged in to as Google's documentation says."""
    return Registry(HOST, "oauth2accesstoken", token or token_of_the_operator())


def image_of(files: dict[str, bytes], distributions: Sequence[str] = ()) -> Image:
    """An image with these files in /app and the packages that this environment has of these names, which runs Python."""
    layers = [layer_of_files(files, prefix="/app")]
    if distributions:
        layers.append(layer_of_distributions(distributions))
    environment = {"PYTHONPATH": "/app:/app/site-packages"}
    return append(Image(_EMPTY, ()), layers, entrypoint=["python"], env=environment, working_dir="/app")


def repository_path(repository: str, image: str) -> str:
    """What the registry calls an image."""
    return f"{PROJECT.removeprefix('projects/')}/{repository}/{image}"


def push(
    repository: str, image: str, files: dict[str, bytes], tag: str = "1", distributions: Sequence[str] = ()
) -> str:
    """Push an image and return its whole name, with the tag."""
    path = repository_path(repository, image)
    registry().push(image_of(files, distributions), path, tag)
    return f"{HOST}/{path}:{tag}"
