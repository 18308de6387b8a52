"""The names of what is in Artifact Registry, as its API and as docker clients write them."""

import re
from typing import Final
from urllib.parse import quote, unquote

DOWNLOAD: Final = "artifactregistry.repositories.downloadArtifacts"
"""The permission to pull."""

REFERENCE: Final = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<package>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def package_name(location: str, project: str, repository: str, image: str) -> str:
    """The name in full of a package; an image's name may hold slashes."""
    return f"projects/{project}/locations/{location}/repositories/{repository}/packages/{quote(image, safe='')}"


def location_of(name: str) -> str:
    """The location of anything that is in one."""
    return name.split("/")[3]


def docker_name(package: str) -> str:
    """What a docker client calls a package, without the host: `project/repository/image`."""
    words = package.split("/")
    return f"{words[1]}/{words[5]}/{unquote(words[7])}"


def repository_of(name: str) -> str:
    """The repository of anything that is in one."""
    return "/".join(name.split("/")[:6])


def image_name(version: str) -> str:
    """The name of the docker image that is a version."""
    package, _, digest = version.rpartition("/versions/")
    return f"{repository_of(package)}/dockerImages/{package.rpartition('/')[2]}@{digest}"


def version_of(image: str) -> str:
    """The name of the version that is a docker image."""
    repository, _, name = image.partition("/dockerImages/")
    package, _, digest = name.rpartition("@")
    return f"{repository}/packages/{package}/versions/{digest}"
