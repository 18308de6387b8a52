"""The server of a registry that speaks the OCI distribution specification 1.1: the wire and the blobs.

Which repositories, manifests and tags there are, and who may do what, is asked of a `Catalogue`: the control plane that
owns the registry. So there is one truth, and what is deleted through the cloud's API is gone here. Not supported:
ranges, referrers, and deleting, which the clouds' own APIs do.
"""

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final, Literal, Protocol, cast
from urllib.parse import quote

from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file

from ragonotebooks.images.digest import DIGEST, VerifiedReader, digest_of, digest_of_file
from ragonotebooks.images.image import INDEXES, MANIFESTS, Manifest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Action = Literal[
    "log in",
    "list tags",
    "get manifest",
    "put manifest",
    "find blob",
    "get blob",
    "start upload",
    "add to upload",
    "finish upload",
]

_NAME: Final = r"(?P<repository>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LARGEST_MANIFEST: Final = 4 * 1024 * 1024  # bytes; what the specification asks registries to take
_CHUNK: Final = 1024 * 1024


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """A request that is refused, as the specification words it.

    Args:
        status: The HTTP status.
        code: The error code, such as `NAME_UNKNOWN`.
        message: What a person is told.
        challenge: The `WWW-Authenticate` header, for the status 401.
    """

    def __init__(self, status: int, code: str, message: str, challenge: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.challenge = status, code, message, challenge


class Catalogue(Protocol):
    """What the owner of a registry knows. Each method may raise `Refusal`."""

    def authorise(self, request: Request, action: Action, repository: str) -> None:
        """Refuse whoever may not do this, and a repository that is not there; it is empty for "log in"."""

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Return what a tag or digest names."""

    def put_manifest(self, repository: str, tag: str | None, manifest: Manifest) -> None:
        """Store a manifest, under a tag if there is one."""

    def tags(self, repository: str) -> list[str]:
        """Return all tags."""


class Blobs:
    """Blobs as files: a folder for each repository, so that a repository's blobs come and go with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, repository: str, digest: str) -> Path:
        """Return where a blob lies, whether it is there or not.

        Raises:
            Refusal: The digest is not one.
        """
        if not DIGEST.fullmatch(digest):
            raise Refusal(400, "DIGEST_INVALID", f"provided digest {digest} is not a sha256 digest")
        return self._of(repository) / digest.replace(":", "-")

    def sizes(self, repository: str) -> dict[str, int]:
        """Return the blobs of a repository: their digests and sizes in bytes."""
        files = self._of(repository).glob("sha256-*")
        return {file.name.replace("-", ":"): file.stat().st_size for file in files}

    def start(self, repository: str) -> str:
        """Begin an upload and return its id."""
        upload = str(uuid.uuid4())
        self._of(repository).mkdir(parents=True, exist_ok=True)
        (self._of(repository) / upload).touch()
        return upload

    def upload(self, repository: str, upload: str) -> Path:
        """Return the file that an upload has grown to.

        Raises:
            Refusal: There is no such upload.
        """
        path = self._of(repository) / upload
        if not path.exists():
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", f"blob upload {upload} unknown to registry")
        return path

    def finish(self, repository: str, upload: str, digest: str) -> None:
        """Make a blob of an upload.

        Raises:
            Refusal: The content has another digest; the upload is discarded.
        """
        path = self.upload(repository, upload)
        target = self.path(repository, digest)
        if digest_of_file(path) != digest:
            path.unlink()
            raise Refusal(400, "DIGEST_INVALID", f"provided digest {digest} did not match uploaded content")
        path.replace(target)

    def add(self, repository: str, content: bytes) -> str:
        """Store a small blob at once and return its digest."""
        upload = self.start(repository)
        self.upload(repository, upload).write_bytes(content)
        digest = digest_of(content)
        self.finish(repository, upload, digest)
        return digest

    def mount(self, source: str, digest: str, repository: str) -> bool:
        """Take a blob over from another repository; return False when it is not there."""
        origin, target = self.path(source, digest), self.path(repository, digest)
        if origin.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(origin, target)
        return target.exists()

    def open(self, repository: str, digest: str, size: int) -> BinaryIO:
        """Open a blob for reading, with its content checked on the way."""
        return cast(BinaryIO, VerifiedReader(self.path(repository, digest).open("rb"), digest, size))

    def delete(self, repository: str, digests: Iterable[str]) -> None:
        """Delete blobs; those that are not there are as they should be."""
        for digest in digests:
            self.path(repository, digest).unlink(missing_ok=True)

    def delete_all(self, repository: str) -> None:
        """Delete everything of a repository, unfinished uploads too."""
        shutil.rmtree(self._of(repository), ignore_errors=True)

    def _of(self, repository: str) -> Path:
        return self._folder / quote(repository, safe="")


class RegistryServer:
    """The WSGI application of one registry."""

    def __init__(self, blobs: Blobs, catalogue: Catalogue) -> None:
        self._blobs, self._catalogue = blobs, catalogue

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = self._answer(request)
        except Refusal as refusal:
            response = _refused(refusal)
        response.headers["Docker-Distribution-API-Version"] = "registry/2.0"
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        for method, pattern, action, answer in _ROUTES:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                arguments = found.groupdict()
                self._catalogue.authorise(request, action, arguments.get("repository", ""))
                return answer(self, request, **arguments)
        raise Refusal(405, "UNSUPPORTED", f"the registry does not support {request.method} {request.path}")

    def _version(self, request: Request) -> Response:
        return Response("{}", content_type="application/json")

    def _list_tags(self, request: Request, repository: str) -> Response:
        listed = {"name": repository, "tags": sorted(self._catalogue.tags(repository))}
        return Response(json.dumps(listed), content_type="application/json")

    def _get_manifest(self, request: Request, repository: str, reference: str) -> Response:
        manifest = self._catalogue.manifest(repository, reference)
        headers = {"Docker-Content-Digest": manifest.digest}
        return Response(manifest.content, content_type=manifest.media_type, headers=headers)

    def _put_manifest(self, request: Request, repository: str, reference: str) -> Response:
        manifest = _read_manifest(request)
        if DIGEST.fullmatch(reference):
            if manifest.digest != reference:
                raise Refusal(400, "DIGEST_INVALID", f"provided digest {reference} did not match uploaded content")
            self._catalogue.put_manifest(repository, None, manifest)
        elif _TAG.fullmatch(reference):
            self._catalogue.put_manifest(repository, reference, manifest)
        else:
            raise Refusal(
                400, "TAG_INVALID", f"{reference} is not a tag: use up to 128 letters, digits, '.', '_' and '-'"
            )
        location = f"/v2/{repository}/manifests/{manifest.digest}"
        return Response(status=201, headers={"Location": location, "Docker-Content-Digest": manifest.digest})

    def _get_blob(self, request: Request, repository: str, digest: str) -> Response:
        path = self._blobs.path(repository, digest)
        if not path.exists():
            raise Refusal(404, "BLOB_UNKNOWN", f"blob {digest} unknown to registry")
        headers = {"Docker-Content-Digest": digest, "Content-Length": str(path.stat().st_size)}
        content = wrap_file(request.environ, path.open("rb"), _CHUNK) if request.method == "GET" else None
        return Response(content, content_type="application/octet-stream", headers=headers, direct_passthrough=True)

    def _start_upload(self, request: Request, repository: str) -> Response:
        mount, source = request.args.get("mount"), request.args.get("from")
        if mount and source:
            self._catalogue.authorise(request, "get blob", source)
            if self._blobs.mount(source, mount, repository):
                return _created(repository, mount)
        upload = self._blobs.start(repository)
        if digest := request.args.get("digest"):
            _append(request.stream, self._blobs.upload(repository, upload))
            self._blobs.finish(repository, upload, digest)
            return _created(repository, digest)
        return self._progress(repository, upload, 202)

    def _show_upload(self, request: Request, repository: str, upload: str) -> Response:
        return self._progress(repository, upload, 204)

    def _add_to_upload(self, request: Request, repository: str, upload: str) -> Response:
        path = self._blobs.upload(repository, upload)
        expected = request.headers.get("Content-Range", "").partition("-")[0]
        if expected and expected != str(path.stat().st_size):
            raise Refusal(416, "BLOB_UPLOAD_INVALID", f"the next chunk begins at byte {path.stat().st_size}")
        _append(request.stream, path)
        return self._progress(repository, upload, 202)

    def _finish_upload(self, request: Request, repository: str, upload: str) -> Response:
        digest = request.args.get("digest", "")
        _append(request.stream, self._blobs.upload(repository, upload))
        self._blobs.finish(repository, upload, digest)
        return _created(repository, digest)

    def _cancel_upload(self, request: Request, repository: str, upload: str) -> Response:
        self._blobs.upload(repository, upload).unlink()
        return Response(status=204)

    def _progress(self, repository: str, upload: str, status: int) -> Response:
        last = max(self._blobs.upload(repository, upload).stat().st_size - 1, 0)
        location = f"/v2/{repository}/blobs/uploads/{upload}"
        headers = {"Location": location, "Range": f"0-{last}", "Docker-Upload-UUID": upload}
        return Response(status=status, headers=headers)


def _route(
    method: str, path: str, action: Action, answer: Callable[..., Response]
) -> tuple[str, re.Pattern[str], Action, Callable[..., Response]]:
    return method, re.compile(f"/v2/{path}"), action, answer


_MANIFEST: Final = f"{_NAME}/manifests/(?P<reference>[^/]+)"
_BLOB: Final = f"{_NAME}/blobs/(?P<digest>[^/]+)"
_UPLOAD: Final = f"{_NAME}/blobs/uploads/(?P<upload>[0-9a-f-]+)"
_ROUTES: Final = [
    _route("GET", "", "log in", RegistryServer._version),
    _route("GET", f"{_NAME}/tags/list", "list tags", RegistryServer._list_tags),
    _route("HEAD", _MANIFEST, "get manifest", RegistryServer._get_manifest),
    _route("GET", _MANIFEST, "get manifest", RegistryServer._get_manifest),
    _route("PUT", _MANIFEST, "put manifest", RegistryServer._put_manifest),
    _route("HEAD", _BLOB, "find blob", RegistryServer._get_blob),
    _route("GET", _BLOB, "get blob", RegistryServer._get_blob),
    _route("POST", f"{_NAME}/blobs/uploads/?", "start upload", RegistryServer._start_upload),
    _route("GET", _UPLOAD, "add to upload", RegistryServer._show_upload),
    _route("PATCH", _UPLOAD, "add to upload", RegistryServer._add_to_upload),
    _route("PUT", _UPLOAD, "finish upload", RegistryServer._finish_upload),
    _route("DELETE", _UPLOAD, "finish upload", RegistryServer._cancel_upload),
]


def _read_manifest(request: Request) -> Manifest:
    content = request.stream.read(_LARGEST_MANIFEST + 1)
    media_type = request.mimetype
    if media_type not in (*MANIFESTS, *INDEXES):
        raise Refusal(415, "MANIFEST_INVALID", f"the media type {media_type or '(none)'} is not supported")
    if len(content) > _LARGEST_MANIFEST:
        raise Refusal(413, "SIZE_INVALID", f"the manifest is larger than {_LARGEST_MANIFEST} bytes")
    manifest = Manifest(content, media_type)
    try:
        wanted = "manifests" if media_type in INDEXES else "layers"
        digests = [part["digest"] for part in manifest.fields[wanted]] + [blob["digest"] for blob in manifest.blobs]
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(400, "MANIFEST_INVALID", f"the manifest is not one of the type {media_type}: {error!r}") from None
    if invalid := [digest for digest in digests if not DIGEST.fullmatch(str(digest))]:
        raise Refusal(400, "MANIFEST_INVALID", f"the manifest names {invalid[0]}, which is not a sha256 digest")
    return manifest


def _append(stream: IO[bytes], path: Path) -> None:
    with path.open("ab") as file:
        shutil.copyfileobj(stream, file, _CHUNK)


def _created(repository: str, digest: str) -> Response:
    headers = {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest}
    return Response(status=201, headers=headers)


def _refused(refusal: Refusal) -> Response:
    body = json.dumps({"errors": [{"code": refusal.code, "message": refusal.message}]})
    response = Response(body, status=refusal.status, content_type="application/json")
    if refusal.challenge:
        response.headers["WWW-Authenticate"] = refusal.challenge
    return response
