"""Cloud Storage: the JSON API with its uploads, downloads and batches, and the XML API's GET, HEAD, PUT and DELETE of an object."""

from typing import Any
from urllib.parse import unquote

from ragonotebooks.sandbox.gcp.access import authenticate, meet_faults, require_enabled
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.discovery import DiscoveryMethod, methods
from ragonotebooks.sandbox.gcp.errors import ApiError, unsupported
from ragonotebooks.sandbox.gcp.http_front import Request, Response, answer_request, json_response
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.service import Service
from ragonotebooks.sandbox.gcp.storage import batch, signed_urls
from ragonotebooks.sandbox.gcp.storage.api import Api
from ragonotebooks.sandbox.gcp.storage.asked import Asked
from ragonotebooks.sandbox.gcp.storage.uploads import piece
from ragonotebooks.sandbox.ledger import Call as Entry

_JSON = "/storage/v1/"
_XML = {
    "GET": "storage.objects.get",
    "HEAD": "storage.objects.get",
    "PUT": "storage.objects.insert",
    "DELETE": "storage.objects.delete",
}
_READING = ("get", "list", "getIamPolicy", "testIamPermissions")


class Storage(Service):
    """Buckets and objects."""

    host = "storage.googleapis.com"
    title = "Cloud Storage API"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        folder = cloud.context.folder / "gcs"
        folder.mkdir(exist_ok=True)
        self._api = Api(cloud, folder)
        self._methods = {method.name: method for method in methods("storage", "v1")}

    def http(self, request: Request, entry: Entry) -> Response:
        """Answer a request of any of the APIs."""
        entry.service = self.host
        if request.path.startswith("/batch/"):
            entry.service = ""  # each of its requests is written down by itself
            return batch.answer(request, self._one_of_batch)
        request.path = request.path.removeprefix("/resumable").removeprefix("/upload").removeprefix("/download")
        if session := request.parameter("upload_id"):
            return self._go_on(request, entry, session)
        method, bound = self._method(request)
        parameters = {**dict(request.query), **{name: unquote(value) for name, value in bound.items()}}
        entry.action = method.name
        entry.mutating = method.verb not in _READING
        asked = Asked(self.cloud, request, method.name, parameters, None, entry)
        self._api.prepare(asked)
        with self.cloud.context.lock:
            require_enabled(self.cloud, self)
            asked.caller = self._caller(request)
            entry.caller = asked.caller.email if asked.caller else "anonymous"
            entry.resource = asked.path
            meet_faults(self.cloud, entry)
            handler = self._api.handler(method.name)
            if handler is None:
                raise unsupported(f"{self.host} {method.name}")
            found = handler(asked)
        return found if isinstance(found, Response) else json_response(found)

    def write_as(self, writer: Caller, bucket: str, name: str, data: bytes, kind: str) -> None:
        """Keep an object that another service of the cloud brings, as `Api.write_as` says."""
        self._api.write_as(writer, bucket, name, data, kind)

    def _method(self, request: Request) -> tuple[DiscoveryMethod, dict[str, str]]:
        if request.path.startswith(_JSON):
            for method in self._methods.values():
                if (bound := method.rule.match(request.method, request.path)) is not None:
                    return method, bound
        elif name := _XML.get(request.method):
            bucket, _, key = request.path.strip("/").partition("/")
            if bucket and key:
                return self._methods[name], {"bucket": bucket, "object": key, "name": key, "alt": "media"}
        raise unsupported(f"{self.host} {request.method} {request.path}")

    def _caller(self, request: Request) -> Caller | None:
        if signed_urls.is_signed(request):
            return signed_urls.signer(request, self.cloud.keys)
        return authenticate(self.cloud, request.token) if request.token else None

    def _go_on(self, request: Request, entry: Entry, name: str) -> Response:
        """A piece of a resumable upload. Its name is the proof; the call is in the ledger when the object is there."""
        session = self._api.session(name)
        if request.method == "DELETE":
            entry.service = ""
            self._api.abandon(session)
            return Response(499)
        start, total = piece(request)
        if start is not None:
            session.add(request.body, start)
        if total is None or session.size < total:
            entry.service = ""
            return session.progress()
        entry.action, entry.mutating = "storage.objects.insert", True
        entry.caller = session.caller.email if session.caller else "anonymous"
        asked = Asked(self.cloud, request, entry.action, session.parameters, session.caller, entry)
        entry.resource = asked.path
        return json_response(self._api.finish(session, asked))

    def _one_of_batch(self, request: Request) -> Response:
        return answer_request(self.cloud, request)

    def error_body(self, error: ApiError) -> dict[str, Any]:
        """With the list of errors that storage clients read."""
        return error.with_list()
