"""The client of a registry: Amazon ECR, Artifact Registry and what else speaks the OCI distribution specification."""

import re
from typing import Any, BinaryIO, Final, cast
from urllib.parse import urljoin, urlsplit

import requests

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.images.auth import Authorization, answer
from ragonotebooks.images.digest import DIGEST, DigestMismatch, VerifiedReader, digest_of
from ragonotebooks.images.image import INDEXES, MANIFESTS, Image, Manifest, host_architecture

_LOOPBACK: Final = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
_PATIENCE: Final = (10, 300)  # seconds to connect, and between two bytes of an answer


class RegistryError(RagonotebooksError):
    """The registry refused a request.

    Attributes:
        status: The HTTP status.
        code: The error's code in the specification, such as `NAME_UNKNOWN`; empty when the registry gave none.
    """

    def __init__(self, host: str, response: requests.Response) -> None:
        self.status = response.status_code
        self.code, message = _first_error(response)
        super().__init__(f"The registry {host} answered {self.status} {self.code}: {message}".rstrip(": "))


class Registry:
    """A registry, and the login to it.

    Args:
        host: Its name, with a port where it is not the usual one. It is spoken to with TLS unless it is this machine.
        username: `AWS` for ECR; empty for a registry that gives images to anybody.
        password: For ECR, the part behind `AWS:` of what `get_authorization_token` returns.
        session: How requests are sent, for a proxy or certificates that the environment does not name.
    """

    def __init__(
        self, host: str, username: str = "", password: str = "", session: requests.Session | None = None
    ) -> None:
        self.host = host.removeprefix("https://").rstrip("/")
        self._url = f"{'http' if _LOOPBACK.fullmatch(self.host) else 'https'}://{self.host}/v2/"
        self._login = Authorization.basic(username, password) if username else None
        self._accepted: dict[str, Authorization] = {}
        self._session = session or requests.Session()

    def __repr__(self) -> str:
        return f"Registry({self.host!r})"

    def check_login(self) -> None:
        """Ask whether the registry is there and takes the login.

        Raises:
            RegistryError: It is there, but refuses.
        """
        self._send("GET", "", "")

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository."""
        return list(self._send("GET", repository, "tags/list").json()["tags"] or [])

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Return the manifest or index that a tag or digest names, as it is stored.

        Raises:
            RegistryError: It is not there, or not for this login.
            DigestMismatch: The registry gave another one than the digest names.
        """
        accept = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
        response = self._send("GET", repository, f"manifests/{reference}", headers=accept)
        manifest = Manifest(response.content, response.headers["Content-Type"].partition(";")[0])
        if DIGEST.fullmatch(reference) and manifest.digest != reference:
            raise DigestMismatch(reference, manifest.digest)
        return manifest

    def pull(self, repository: str, reference: str, architecture: str | None = None) -> Image:
        """Return the image that a tag or digest names. Its layers stay where they are until somebody opens them.

        Args:
            repository: Its name, without the host: `docker/library/python`.
            reference: A tag or a digest.
            architecture: Which image to take when there are several: `amd64` or `arm64`; this machine's by default.

        Raises:
            RegistryError: It is not there, or not for this login.
            RagonotebooksError: There is none for the architecture.
        """
        manifest = self.manifest(repository, reference)
        if manifest.media_type in INDEXES:
            digest = _choose(manifest, architecture or host_architecture(), f"{self.host}/{repository}:{reference}")
            manifest = self.manifest(repository, digest)
        return Image.load(manifest, lambda digest, size: self.open_blob(repository, digest, size))

    def open_blob(self, repository: str, digest: str, size: int) -> BinaryIO:
        """Open a blob for reading; the read that meets its end raises `DigestMismatch` when it is not the one named."""
        response = self._send("GET", repository, f"blobs/{digest}", stream=True)
        return cast(BinaryIO, VerifiedReader(response.raw, digest, size))

    def push(self, image: Image, repository: str, tag: str, source: str = "") -> str:
        """Store an image under a tag and return its digest. What the repository holds already is not sent again.

        Args:
            image: The image.
            repository: Where it goes.
            tag: Its tag.
            source: A repository of this registry that holds layers of it; they are not sent where the registry shares layers.

        Raises:
            RegistryError: The repository is not there, the tag is taken and immutable, or the login does not suffice.
        """
        for layer in image.layers:
            if not self._has_blob(repository, layer.digest) and not self._shares_blob(repository, layer.digest, source):
                with layer.open() as content:
                    self._push_blob(repository, layer.digest, content)
        if not self._has_blob(repository, digest_of(image.config_content)):
            self._push_blob(repository, digest_of(image.config_content), image.config_content)
        kind = {"Content-Type": image.manifest.media_type}
        self._send("PUT", repository, f"manifests/{tag}", data=image.manifest.content, headers=kind)
        return image.digest

    def _has_blob(self, repository: str, digest: str) -> bool:
        try:
            return self._send("HEAD", repository, f"blobs/{digest}", allow_redirects=True).ok
        except RegistryError as error:
            if error.status == requests.codes.not_found:
                return False
            raise

    def _shares_blob(self, repository: str, digest: str, source: str) -> bool:
        """Have the registry take a blob over from another repository; one that does not expects an upload instead."""
        if not source:
            return False
        answered = self._send("POST", repository, "blobs/uploads/", params={"mount": digest, "from": source})
        return bool(answered.status_code == requests.codes.created)

    def _push_blob(self, repository: str, digest: str, content: BinaryIO | bytes) -> None:
        upload = self._send("POST", repository, "blobs/uploads/").headers["Location"]
        separator = "&" if urlsplit(upload).query else "?"
        kind = {"Content-Type": "application/octet-stream"}
        self._send("PUT", repository, f"{upload}{separator}digest={digest}", data=content, headers=kind)

    def _send(self, method: str, repository: str, path: str, **options: Any) -> requests.Response:
        """Send one request about a repository, answering a challenge once; `path` may be absolute, or a whole URL."""
        url = urljoin(f"{self._url}{repository}/" if repository else self._url, path)
        options.setdefault("timeout", _PATIENCE)
        accepted = self._accepted.get(repository, Authorization())
        response = self._session.request(method, url, auth=accepted, **options)
        if response.status_code == requests.codes.unauthorized and not hasattr(options.get("data"), "read"):
            challenge = response.headers.get("WWW-Authenticate", "")
            if given := answer(challenge, self._session, self._login):
                self._accepted[repository] = given
                response = self._session.request(method, url, auth=given, **options)
        if not response.ok:
            raise RegistryError(self.host, response)
        return response


def _choose(index: Manifest, architecture: str, name: str) -> str:
    platforms = {entry["digest"]: entry.get("platform", {}) for entry in index.fields["manifests"]}
    for digest, platform in platforms.items():
        if (platform.get("os"), platform.get("architecture")) == ("linux", architecture):
            return str(digest)
    known = ", ".join(
        sorted({f"{platform.get('os')}/{platform.get('architecture')}" for platform in platforms.values()})
    )
    raise RagonotebooksError(
        f"The image {name} is not made for linux/{architecture}, only for {known}: choose another base"
    )


def _first_error(response: requests.Response) -> tuple[str, str]:
    try:
        error = response.json()["errors"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return "", response.reason or ""
    return str(error.get("code", "")), str(error.get("message", ""))
