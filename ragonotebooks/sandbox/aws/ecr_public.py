"""public.ecr.aws, read only: one small image that stands in for the base image of this interpreter's Python version.

In the real cloud that image holds a Debian system with Python. Here the host's Python runs the image's programs, and
the image says so.
"""

import platform
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from werkzeug.wrappers import Request, Response

from ragonotebooks.images.image import OCI_INDEX, Image, Manifest, to_json
from ragonotebooks.images.layers import Layer, layer_of_files
from ragonotebooks.sandbox.parts.registry import Action, Blobs, Refusal, RegistryServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

HOST: Final = "public.ecr.aws"
REPOSITORY: Final = "docker/library/python"
TAG: Final = f"{sys.version_info.major}.{sys.version_info.minor}-slim"

_README: Final = f"""This image stands in for {HOST}/{REPOSITORY}:{TAG}.
It holds no operating system and no Python: the sandbox runs the programs of an image with the Python of its host.
Images that are built upon it here have other digests than those built upon the real one.
"""
_OS_RELEASE: Final = """ID=ragonotebooks
NAME="Ragonotebooks sandbox"
PRETTY_NAME="Ragonotebooks sandbox, standing in for Debian GNU/Linux"
ID_LIKE=debian
"""


class PublicRegistry:
    """The WSGI application: hands a token to anybody, and with it the images.

    Args:
        folder: Where the blobs lie.
    """

    def __init__(self, folder: Path) -> None:
        blobs = Blobs(folder)
        self._catalogue = _PublicCatalogue(_store(blobs))
        self._server = RegistryServer(blobs, self._catalogue)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if Request(environ).path == "/token/":
            token = Response(to_json({"token": self._catalogue.token}), content_type="application/json")
            return token(environ, start_response)
        return self._server(environ, start_response)


class _PublicCatalogue:
    """One repository, its images and their index; each is known by its digest, the index by its tag too."""

    def __init__(self, manifests: dict[str, Manifest]) -> None:
        self.token = secrets.token_urlsafe(48)
        self._manifests = manifests

    def authorise(self, request: Request, action: Action, repository: str) -> None:
        given = request.authorization
        if given is None or given.type != "bearer" or given.token != self.token:
            scheme = "https" if request.host.partition(":")[0] == HOST else request.scheme
            challenge = f'Bearer realm="{scheme}://{request.host}/token/",service="{HOST}",scope="aws"'
            raise Refusal(401, "UNAUTHORIZED", "Not Authorized", challenge)
        if action in ("put manifest", "start upload", "add to upload", "finish upload"):
            raise Refusal(403, "DENIED", f"{HOST} is read only in the sandbox")
        if action != "log in" and repository != REPOSITORY:
            known = f"the sandbox's {HOST} has {REPOSITORY}:{TAG} only"
            raise Refusal(404, "NAME_UNKNOWN", f"the repository {repository} is not there: {known}")

    def manifest(self, repository: str, reference: str) -> Manifest:
        if reference not in self._manifests:
            known = f"the sandbox's {HOST} has {REPOSITORY}:{TAG} only"
            raise Refusal(404, "MANIFEST_UNKNOWN", f"the image {repository}:{reference} is not there: {known}")
        return self._manifests[reference]

    def put_manifest(self, repository: str, tag: str | None, manifest: Manifest) -> None:
        raise Refusal(403, "DENIED", f"{HOST} is read only in the sandbox")

    def tags(self, repository: str) -> list[str]:
        return [TAG]


def _store(blobs: Blobs) -> dict[str, Manifest]:
    """Make the images, put their blobs into the repository, and return their manifests by digest and tag."""
    layer = layer_of_files({"README": _README.encode(), "etc/os-release": _OS_RELEASE.encode()}, prefix="/")
    with layer.open() as content:
        blobs.add(REPOSITORY, content.read())
    entries, manifests = [], {}
    for architecture in ("amd64", "arm64"):
        image = _base_image(architecture, layer)
        blobs.add(REPOSITORY, image.config_content)
        manifest = manifests[image.digest] = image.manifest
        entries.append(
            {
                "mediaType": manifest.media_type,
                "digest": manifest.digest,
                "size": len(manifest.content),
                "platform": {"os": "linux", "architecture": architecture},
            }
        )
    index = Manifest(to_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}), OCI_INDEX)
    return manifests | {index.digest: index, TAG: index}


def _base_image(architecture: str, layer: Layer) -> Image:
    environment = {
        "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "PYTHON_VERSION": platform.python_version(),
    }
    running = {"Env": [f"{name}={value}" for name, value in environment.items()], "Cmd": ["python3"]}
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id]}
    return Image({"architecture": architecture, "os": "linux", "config": running, "rootfs": rootfs}, (layer,))
