"""The docker registries of Artifact Registry: hosts, logins, and what they ask the API's service.

`us-central1-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE` is one package of one repository. Whoever pushes or pulls holds an access
token, as the password of the user `oauth2accesstoken`, and needs the permission to upload or download artifacts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wrappers import Request, Response

from ragonotebooks.images.image import INDEXES, Image, Manifest
from ragonotebooks.sandbox.gcp import access, engine
from ragonotebooks.sandbox.gcp.artifact_names import DOWNLOAD, docker_name, location_of, package_name, repository_of
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.ledger import Call as Entry
from ragonotebooks.sandbox.parts.registry import Action, Blobs, Refusal, RegistryServer

if TYPE_CHECKING:
    from ragonotebooks.sandbox.gcp.services.artifact_registry import ArtifactRegistry

_HOST: Final = re.compile(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev(:\d+)?")
_NAME: Final = re.compile(r"(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<image>.+)")
_USER: Final = "oauth2accesstoken"
_UPLOADS: Final = frozenset(("put manifest", "start upload", "add to upload", "finish upload"))
_UPLOAD: Final = "artifactregistry.repositories.uploadArtifacts"


class DockerRegistry:
    """The registries of all locations as one WSGI application; the host name says which one is meant.

    Args:
        cloud: What the services of one sandbox share.
        service: Knows repositories, manifests and tags.
    """

    def __init__(self, cloud: Cloud, service: ArtifactRegistry) -> None:
        self._cloud, self._service = cloud, service
        self._folder = cloud.context.folder / "artifacts"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        host = _HOST.fullmatch(environ.get("HTTP_HOST", ""))
        if host is None:
            raise ValueError(f"{environ.get('HTTP_HOST')} is not the host of a registry")
        if environ["PATH_INFO"] == "/v2/token":
            return self._token(Request(environ))(environ, start_response)
        started, blobs = engine.now(), self._blobs(host["location"])
        catalogue = _Catalogue(self._cloud, self._service, blobs, host["location"])

        def note(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            catalogue.entry.status = int(status.split()[0])
            return start_response(status, headers, *rest)

        try:
            return RegistryServer(blobs, catalogue)(environ, note)
        finally:
            if catalogue.entry.service:
                status = catalogue.entry.status
                engine.write_down(self._cloud, catalogue.entry, catalogue.problem, status, started)

    def image(self, package: str, manifest: Manifest) -> Image:
        """Return an image that is here."""
        blobs, name = self._blobs(location_of(package)), docker_name(package)
        return Image.load(manifest, lambda digest, size: blobs.open(name, digest, size))

    def sizes(self, package: str) -> dict[str, int]:
        """Return the blobs of a package and their sizes in bytes."""
        return self._blobs(location_of(package)).sizes(docker_name(package))

    def sweep(self, package: str, manifests: Iterable[Manifest]) -> None:
        """Delete the blobs of a package that none of its manifests names."""
        wanted = {blob["digest"] for manifest in manifests for blob in manifest.blobs}
        self._blobs(location_of(package)).delete(docker_name(package), self.sizes(package).keys() - wanted)

    def _blobs(self, location: str) -> Blobs:
        return Blobs(self._folder / location)

    def _token(self, request: Request) -> Response:
        """What a challenge leads to: the access token itself opens the registry."""
        given = request.authorization
        token = (given.password or "") if given and given.type == "basic" and given.username == _USER else ""
        if self._cloud.identities.find(token) is None:
            text = f"the user is {_USER} and the password an access token that this sandbox gave out"
            errors = {"errors": [{"code": "UNAUTHORIZED", "message": f"authentication failed: {text}"}]}
            return Response(json.dumps(errors), 401, content_type="application/json")
        body = {"token": token, "expires_in": self._cloud.identities.seconds_left(token)}
        return Response(json.dumps(body), content_type="application/json")


class _Catalogue:
    """What Artifact Registry knows, as the registry of one location asks it about one request."""

    def __init__(self, cloud: Cloud, service: ArtifactRegistry, blobs: Blobs, location: str) -> None:
        self._cloud, self._service, self._blobs, self._location = cloud, service, blobs, location
        self.entry = Entry()
        self.problem: ApiError | None = None

    def authorise(self, request: Request, action: Action, repository: str) -> None:
        """Refuse whoever holds no token, or may not do this; note the call in the ledger."""
        caller = self._caller(request)
        if action == "log in":
            return
        package = self._package(repository)
        name = repository_of(package)
        permission = _UPLOAD if action in _UPLOADS else DOWNLOAD
        entry = self.entry
        entry.service, entry.action = self._service.host, _DOCKER[action]
        entry.caller, entry.resource, entry.region = caller.email, name, self._location
        entry.mutating = action in _UPLOADS
        with self._cloud.context.lock:
            self._require(caller, permission, name)

    def _require(self, caller: Caller, permission: str, name: str) -> None:
        try:
            access.require_enabled(self._cloud, self._service)
            if not self._cloud.policies.allows(caller, permission, self._service.host, name):
                raise access.denied(permission, name, self._service)
            self._cloud.store.get(self._service.host, name)
        except ApiError as error:
            self.problem = error
            missing = error.code == "NOT_FOUND"
            text = f'Repository "{name.rpartition("/")[2]}" not found' if missing else error.message
            raise Refusal(404 if missing else 403, "NAME_UNKNOWN" if missing else "DENIED", text) from None

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Return what a tag or digest names."""
        with self._cloud.context.lock:
            found = self._service.manifest(self._package(repository), reference)
        if found is None:
            raise Refusal(404, "MANIFEST_UNKNOWN", f'Failed to fetch "{reference}"')
        return found

    def put_manifest(self, repository: str, tag: str | None, manifest: Manifest) -> None:
        """Store a manifest of which everything is there."""
        package = self._package(repository)
        with self._cloud.context.lock:
            sizes = self._blobs.sizes(repository)
            missing = [blob["digest"] for blob in manifest.blobs if blob["digest"] not in sizes]
            if manifest.media_type in INDEXES:
                named = [part["digest"] for part in manifest.fields["manifests"]]
                missing = [digest for digest in named if self._service.manifest(package, digest) is None]
            if missing:
                raise Refusal(400, "MANIFEST_BLOB_UNKNOWN", f"blob {missing[0]} unknown to registry")
            try:
                self._service.put(package, tag, manifest, self._built(repository, manifest))
            except ApiError as error:
                self.problem = error
                raise Refusal(400, "MANIFEST_INVALID", error.message) from None

    def _built(self, repository: str, manifest: Manifest) -> str | None:
        """When an image says that it was built; None when it says nothing that is a time."""
        if "config" not in manifest.fields:
            return None
        config = self._blobs.path(repository, manifest.fields["config"]["digest"]).read_bytes()
        created = json.loads(config or b"{}").get("created")
        return created if isinstance(created, str) and created.endswith("Z") else None

    def tags(self, repository: str) -> list[str]:
        """Return all tags."""
        with self._cloud.context.lock:
            return self._service.tags(self._package(repository))

    def _package(self, repository: str) -> str:
        found = _NAME.fullmatch(repository)
        if found is None:
            raise Refusal(404, "NAME_UNKNOWN", f"{repository} is not PROJECT/REPOSITORY/IMAGE")
        return package_name(self._location, found["project"], found["repository"], found["image"])

    def _caller(self, request: Request) -> Caller:
        given = request.authorization
        challenge = f'Bearer realm="https://{request.host}/v2/token",service="{request.host}"'
        token = ""
        if given and given.type == "bearer":
            token = given.token or ""
        elif given and given.type == "basic" and given.username == _USER:
            token = given.password or ""
        if not token:
            raise Refusal(401, "UNAUTHORIZED", f"log in as {_USER} with an access token", challenge)
        try:
            return access.authenticate(self._cloud, token)
        except ApiError as error:
            raise Refusal(401, "UNAUTHORIZED", error.message) from None


#: What the ledger calls what is done with a registry. Source: Cloud Audit Logs of Artifact Registry, read 2026-11.
_DOCKER: Final[dict[Action, str]] = {
    "list tags": "Docker-ListTags",
    "get manifest": "Docker-GetManifest",
    "put manifest": "Docker-PutManifest",
    "find blob": "Docker-HeadBlob",
    "get blob": "Docker-GetBlob",
    "start upload": "Docker-StartUpload",
    "add to upload": "Docker-Upload",
    "finish upload": "Docker-FinishUpload",
}
