"""A public registry, read only: one small image that stands in for the base image of this interpreter's Python version.

In the real registry that image holds a Debian system with Python. Here the host's Python runs the image's programs, and
the image says so.
"""

import platform
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from werkzeug.wrappers import Request, Response

from ragonotebooks.images.image import OCI_INDEX, Image, Manifest, to_json
from ragonotebooks.images.layers import Layer, layer_of_files
from ragonotebooks.sandbox.parts.registry import Action, Blobs, Refusal, RegistryServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TAG: Final = f"{sys.version_info.major}.{sys.version_info.minor}-slim"

_OS_RELEASE: Final = """ID=ragonotebooks
NAME="Ragonotebooks sandbox"
PRETTY_NAME="Ragonotebooks sandbox, standing in for Debian GNU/Linux"
ID_LIKE=debian
"""


@dataclass(frozen=True)
class Source:
    """A registry that the sandbox plays.

    Attributes:
        host: Its name.
        repository: Where it has the image.
        realm: The path at which it hands out tokens.
        scope: What its challenge asks for.
    """

    host: str
    repository: str
    realm: str
    scope: str

    @property
    def holds(self) -> str:
        """What a refusal says of it."""
        return f"the sandbox's {self.host} has {self.repository}:{TAG} only"


class PublicRegistry:
    """The WSGI application: hands a token to anybody, and with it the images.

    Args:
        folder: Where the blobs lie.
        source: Which registry it is.
    """

    def __init__(self, folder: Path, source: Source) -> None:
        blobs = Blobs(folder)
        self._source = source
        self._catalogue = _PublicCatalogue(source, _store(blobs, source))
        self._server = RegistryServer(blobs, self._catalogue)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if Request(environ).path == self._source.realm:
            token = Response(to_json({"token": self._catalogue.token}), content_type="application/json")
            return token(environ, start_response)
        return self._server(environ, start_response)


class _PublicCatalogue:
    """One repository, its images and their index; each is known by its digest, the index by its tag too."""

    def __init__(self, source: Source, manifests: dict[str, Manifest]) -> None:
        self._source = source
        self.token = secrets.token_urlsafe(48)
        self._manifests = manifests

    def authorise(self, request: Request, action: Action, repository: str) -> None:
        given, source = request.authorization, self._source
        if given is None or given.type != "bearer" or given.token != self.token:
            scheme = "https" if request.host.partition(":")[0] == source.host else request.scheme
            realm = f"{scheme}://{request.host}{source.realm}"
            challenge = f'Bearer realm="{realm}",service="{source.host}",scope="{source.scope}"'
            raise Refusal(401, "UNAUTHORIZED", "Not Authorized", challenge)
        if action in ("put manifest", "start upload", "add to upload", "finish upload"):
            raise Refusal(403, "DENIED", f"{source.host} is read only in the sandbox")
        if action != "log in" and repository != source.repository:
            raise Refusal(404, "NAME_UNKNOWN", f"the repository {repository} is not there: {source.holds}")

    def manifest(self, repository: str, reference: str) -> Manifest:
        if reference not in self._manifests:
            text = f"the image {repository}:{reference} is not there: {self._source.holds}"
            raise Refusal(404, "MANIFEST_UNKNOWN", text)
        return self._manifests[reference]

    def put_manifest(self, repository: str, tag: str | None, manifest: Manifest) -> None:
        raise Refusal(403, "DENIED", f"{self._source.host} is read only in the sandbox")

    def tags(self, repository: str) -> list[str]:
        return [TAG]


def _store(blobs: Blobs, source: Source) -> dict[str, Manifest]:
    """Make the images, put their blobs into the repository, and return their manifests by digest and tag."""
    layer = layer_of_files({"README": _readme(source).encode(), "etc/os-release": _OS_RELEASE.encode()}, prefix="/")
    with layer.open() as content:
        blobs.add(source.repository, content.read())
    entries, manifests = [], {}
    for architecture in ("amd64", "arm64"):
        image = _base_image(architecture, layer)
        blobs.add(source.repository, image.config_content)
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


def _readme(source: Source) -> str:
    return f"""This image stands in for {source.host}/{source.repository}:{TAG}.
It holds no operating system and no Python: the sandbox runs the programs of an image with the Python of its host.
Images that are built upon it here have other digests than those built upon the real one.
"""


def _base_image(architecture: str, layer: Layer) -> Image:
    environment = {
        "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "PYTHON_VERSION": platform.python_version(),
    }
    running = {"Env": [f"{name}={value}" for name, value in environment.items()], "Cmd": ["python3"]}
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id]}
    return Image({"architecture": architecture, "os": "linux", "config": running, "rootfs": rootfs}, (layer,))
