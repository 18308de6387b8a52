"""The methods of the JSON API, by name. Whoever calls them holds the control plane's lock."""

import base64
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from google.iam.v1 import policy_pb2
from google.protobuf import json_format

from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, invalid, unsupported
from ragonotebooks.sandbox.gcp.http_front import Response
from ragonotebooks.sandbox.gcp.identity import Caller
from ragonotebooks.sandbox.gcp.storage import listing, media, resources
from ragonotebooks.sandbox.gcp.storage.asked import HOST, Asked, bucket_path
from ragonotebooks.sandbox.gcp.storage.model import Bucket, Clock, Content, Json, Version
from ragonotebooks.sandbox.gcp.storage.notices import Notices
from ragonotebooks.sandbox.gcp.storage.uploads import Session, two_parts

Handler = Callable[[Asked], Json | Response]

_PRIVATE: Final = ("", "private", "projectPrivate", "bucketOwnerFullControl", "bucketOwnerRead")
_MOST_PARTS: Final = 32  # of a compose; Cloud Storage, "Composite objects"


class Api:
    """The buckets of a cloud and what is done with them.

    Args:
        cloud: What the services share.
        folder: Where large contents are kept.
    """

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud = cloud
        self._folder = folder
        self._clock = Clock()
        self._buckets: dict[str, Bucket] = {}
        self._sessions: dict[str, Session] = {}
        self._notices = Notices(cloud, self._bucket)

    def handler(self, method: str) -> Handler | None:
        """Return what answers a method such as `storage.objects.get`, None for one that nothing does."""
        _, collection, *rest = method.split(".")
        name = "_".join((collection, *rest)).lower()
        found: Handler | None = getattr(self, name, None) or getattr(self._notices, name, None)
        return found

    # buckets

    def buckets_insert(self, asked: Asked) -> Json:
        self._check_project(asked)
        asked.require("storage.buckets.create", self._cloud.project.name)
        wanted = asked.json()
        bucket = resources.new_bucket(wanted, self._cloud.project.number)
        self._check_acl(asked, bucket, wanted)
        if bucket.name in self._buckets:
            raise ApiError(
                "ALREADY_EXISTS", "Your previous request to create the named bucket succeeded and you already own it."
            )
        asked.entry.resource = bucket_path(bucket.name)
        self._buckets[bucket.name] = bucket
        project = self._cloud.project.id
        owners, viewers = [f"projectEditor:{project}", f"projectOwner:{project}"], [f"projectViewer:{project}"]
        bindings = {"legacyBucketOwner": owners, "legacyBucketReader": viewers}
        if bucket.is_uniform:
            bindings.update({"legacyObjectOwner": owners, "legacyObjectReader": viewers})
        policy = policy_pb2.Policy(
            bindings=[policy_pb2.Binding(role=f"roles/storage.{role}", members=who) for role, who in bindings.items()]
        )
        self._cloud.policies.set(HOST, bucket_path(bucket.name), policy)
        return bucket.meta

    def buckets_list(self, asked: Asked) -> Json:
        self._check_project(asked)
        asked.require("storage.buckets.list", self._cloud.project.name)
        prefix, after = asked.parameters.get("prefix", ""), asked.parameters.get("pageToken", "")
        names = [name for name in sorted(self._buckets) if name.startswith(prefix) and name > after]
        size = int(asked.parameters.get("maxResults") or 1000)
        answer: Json = {"kind": "storage#buckets", "items": [self._buckets[name].meta for name in names[:size]]}
        return answer if len(names) <= size else {**answer, "nextPageToken": names[size - 1]}

    def buckets_get(self, asked: Asked) -> Json | Response:
        bucket = self._bucket(asked, "storage.buckets.get", reads=True)
        return bucket.meta

    def buckets_patch(self, asked: Asked) -> Json:
        bucket = self._bucket(asked, "storage.buckets.update")
        change = asked.json()
        self._check_acl(asked, bucket, change)
        resources.change_bucket(bucket, change)
        return bucket.meta

    def buckets_update(self, asked: Asked) -> Json:
        bucket = self._bucket(asked, "storage.buckets.update")
        kept = dict.fromkeys(("labels", "lifecycle", "cors", "website", "logging", "versioning"))
        resources.change_bucket(bucket, {**kept, **asked.json()})
        return bucket.meta

    def buckets_delete(self, asked: Asked) -> Response:
        bucket = self._bucket(asked, "storage.buckets.delete")
        if bucket.objects:
            raise ApiError("ALREADY_EXISTS", "The bucket you tried to delete is not empty.", "conflict")
        del self._buckets[bucket.name]
        self._cloud.policies.forget(HOST, bucket_path(bucket.name))
        return Response(204)

    def buckets_getiampolicy(self, asked: Asked) -> Json:
        bucket = self._bucket(asked, "storage.buckets.getIamPolicy")
        return _policy(bucket, self._cloud.policies.get(HOST, bucket_path(bucket.name)))

    def buckets_setiampolicy(self, asked: Asked) -> Json:
        bucket = self._bucket(asked, "storage.buckets.setIamPolicy")
        wanted = {key: value for key, value in asked.json().items() if key not in ("kind", "resourceId")}
        try:
            policy: Any = json_format.ParseDict(wanted, policy_pb2.Policy())
        except json_format.ParseError as error:
            raise invalid(f"Invalid policy: {error}") from None
        public = [one for binding in policy.bindings for one in binding.members if one.startswith("all")]
        if public and bucket.meta["iamConfiguration"]["publicAccessPrevention"] == "enforced":
            message = f"The member bindings {' and '.join(public)} are not allowed since public access prevention is enforced."
            raise ApiError("FAILED_PRECONDITION", message, "conditionNotMet", status_code=412)
        return _policy(bucket, self._cloud.policies.set(HOST, bucket_path(bucket.name), policy))

    def buckets_testiampermissions(self, asked: Asked) -> Json:
        bucket = self._find_bucket(asked.bucket)
        wanted = [value for key, value in asked.request.query if key == "permissions"]
        allows = self._cloud.policies.allows
        held = [one for one in wanted if allows(asked.caller, one, HOST, bucket_path(bucket.name))]
        return {"kind": "storage#testIamPermissionsResponse", "permissions": held}

    # objects

    def prepare(self, asked: Asked) -> None:
        """Read what a request brings, before the lock is taken: contents may be large."""
        if asked.method != "storage.objects.insert" or asked.parameters.get("uploadType") == "resumable":
            return
        request = asked.request
        if asked.parameters.get("uploadType") == "multipart":
            asked.wanted, data, kind = two_parts(request)
        else:
            asked.wanted, data, kind = _from_headers(asked), request.body, request.headers.get("content-type", "")
        asked.wanted.setdefault("contentType", kind or "application/octet-stream")
        asked.content = Content(data, self._folder)

    def objects_insert(self, asked: Asked) -> Json | Response:
        if asked.content is None:
            return self._begin(asked)
        name = asked.wanted.get("name") or asked.object
        asked.parameters["name"] = name
        return self._keep(asked, name, asked.wanted, asked.content).meta

    def _begin(self, asked: Asked) -> Response:
        wanted = asked.request.json()
        name = wanted.get("name") or asked.parameters.get("name", "")
        asked.parameters["name"] = name
        bucket = self._find_bucket(asked.bucket)
        asked.require("storage.objects.create", f"{bucket_path(bucket.name)}/objects/{name}")
        kind = asked.request.headers.get("x-upload-content-type")
        wanted.setdefault("contentType", kind or "application/octet-stream")
        session = Session(bucket.name, {**wanted, "name": name}, dict(asked.parameters), asked.caller, self._folder)
        session.file = self._folder / f"upload-{session.id}"
        self._sessions[session.id] = session
        asked.entry.mutating = False  # nothing is there yet
        where = f"https://storage.googleapis.com/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&upload_id={session.id}"
        return Response(200, b"", {"Location": where, "X-GUploader-UploadID": session.id})

    def session(self, name: str) -> Session:
        """Return a resumable upload that goes on.

        Raises:
            ApiError: There is none of this name.
        """
        if name not in self._sessions:
            raise ApiError("NOT_FOUND", "The upload session has ended or never was.", status_code=410)
        return self._sessions[name]

    def abandon(self, session: Session) -> None:
        """A resumable upload is given up."""
        self._sessions.pop(session.id, None)
        session.file.unlink(missing_ok=True)

    def finish(self, session: Session, asked: Asked) -> Json:
        """Everything of a resumable upload has come: keep the object."""
        content = Content(session.data(), self._folder)
        with self._cloud.context.lock:
            self._sessions.pop(session.id, None)
            return self._keep(asked, session.wanted["name"], session.wanted, content).meta

    def _keep(self, asked: Asked, name: str, wanted: Json, content: Content) -> Version:
        bucket = self._find_bucket(asked.bucket)
        self._check_acl(asked, bucket, wanted)
        path = f"{bucket_path(bucket.name)}/objects/{name}"
        asked.entry.resource = path
        asked.require("storage.objects.create", path)
        live = bucket.live(name)
        resources.check(asked.parameters, *_numbers(live))
        if live:
            asked.require("storage.objects.delete", path)
            _check_holds(live)
        version = resources.new_version(bucket, name, wanted, content, self._clock.generation())
        self._put(bucket, version)
        return version

    def _put(self, bucket: Bucket, version: Version) -> None:
        bucket.put(version)
        self._notices.tell(bucket, version)

    def write_as(self, writer: Caller, bucket: str, name: str, data: bytes, kind: str) -> None:
        """Keep an object that another service brings; an ApiError when its own identity may not. The caller holds the lock."""
        path, permission = f"{bucket_path(bucket)}/objects/{name}", "storage.objects.create"
        if not self._cloud.policies.allows(writer, permission, HOST, path):
            raise ApiError("PERMISSION_DENIED", f"{writer.email} does not have {permission} access to {path}.")
        there, content = self._find_bucket(bucket), Content(data, self._folder)
        self._put(there, resources.new_version(there, name, {"contentType": kind}, content, self._clock.generation()))

    def objects_get(self, asked: Asked) -> Json | Response:
        version = self._object(asked, "storage.objects.get", reads=True)
        return media.download(version, asked.request) if asked.parameters.get("alt") == "media" else version.meta

    def objects_list(self, asked: Asked) -> Json:
        bucket = self._find_bucket(asked.bucket)
        asked.require("storage.objects.list", bucket_path(bucket.name))
        return listing.objects(bucket, asked.parameters)

    def objects_patch(self, asked: Asked) -> Json:
        version = self._object(asked, "storage.objects.update")
        resources.change_object(version, asked.json())
        return version.meta

    def objects_update(self, asked: Asked) -> Json:
        version = self._object(asked, "storage.objects.update")
        resources.change_object(version, asked.json(), whole=True)
        return version.meta

    def objects_delete(self, asked: Asked) -> Response:
        version = self._object(asked, "storage.objects.delete")
        _check_holds(version)
        bucket = self._buckets[asked.bucket]
        if asked.parameters.get("generation"):
            bucket.remove(version)
        else:
            bucket.retire(version.meta["name"])
        return Response(204)

    def objects_compose(self, asked: Asked) -> Json:
        bucket, wanted = self._find_bucket(asked.bucket), asked.json()
        parts = wanted.get("sourceObjects", [])
        if not 0 < len(parts) <= _MOST_PARTS:
            raise invalid(f"The number of source components provided ({len(parts)}) is not 1 to {_MOST_PARTS}.")
        versions = [self._source(asked, bucket, part["name"], str(part.get("generation") or "")) for part in parts]
        for part, version in zip(parts, versions, strict=True):
            conditions = {key: str(value) for key, value in (part.get("objectPreconditions") or {}).items()}
            resources.check(conditions, *_numbers(version))
        content = Content(b"".join(version.content.read() for version in versions), self._folder)
        count = sum(version.meta.get("componentCount", 1) for version in versions)
        made = self._keep(
            asked,
            asked.object,
            {"contentType": versions[0].meta["contentType"], **wanted.get("destination", {})},
            content,
        )
        made.meta["componentCount"] = count
        # a composite object has no MD5: Cloud Storage, "Composite objects"
        del made.meta["md5Hash"]
        return made.meta

    def objects_copy(self, asked: Asked) -> Json:
        return self._copied(asked).meta

    def objects_rewrite(self, asked: Asked) -> Json:
        made = self._copied(asked)
        size = made.meta["size"]
        return {
            "kind": "storage#rewriteResponse",
            "done": True,
            "totalBytesRewritten": size,
            "objectSize": size,
            "resource": made.meta,
        }

    def objects_move(self, asked: Asked) -> Json:
        asked.parameters = {**asked.parameters, "destinationBucket": asked.bucket}
        source = asked.parameters["sourceObject"]
        asked.require("storage.objects.delete", f"{bucket_path(asked.bucket)}/objects/{source}")
        asked.parameters["sourceBucket"] = asked.bucket
        made = self._copied(asked)
        self._buckets[asked.bucket].retire(source)
        return made.meta

    def _copied(self, asked: Asked) -> Version:
        given = asked.parameters
        bucket = self._find_bucket(given["sourceBucket"])
        source = self._source(asked, bucket, given["sourceObject"], given.get("sourceGeneration", ""))
        resources.check(given, *_numbers(source), prefix="ifSource")
        wanted = asked.json()
        kept = {key: value for key, value in source.meta.items() if key in resources.OBJECT_FIELDS}
        # what a rewrite brings replaces the source's metadata as a whole, except for its class alone
        described = {
            key: value for key, value in wanted.items() if key in resources.OBJECT_FIELDS and key != "storageClass"
        }
        base = {"contentType": kept["contentType"], **described} if described else kept
        if "storageClass" in wanted:
            base["storageClass"] = wanted["storageClass"]
        made = self._keep(asked, asked.object, copy.deepcopy(base), source.content)
        if "componentCount" in source.meta:
            made.meta["componentCount"] = source.meta["componentCount"]
            del made.meta["md5Hash"]
        return made

    # what they share

    def _source(self, asked: Asked, bucket: Bucket, name: str, generation: str) -> Version:
        asked.require("storage.objects.get", f"{bucket_path(bucket.name)}/objects/{name}")
        return _found(bucket, name, generation)

    def _object(self, asked: Asked, permission: str, *, reads: bool = False) -> Version:
        bucket = self._find_bucket(asked.bucket)
        asked.require(permission)
        version = _found(bucket, asked.object, asked.parameters.get("generation", ""))
        resources.check(asked.parameters, *_numbers(version), reads=reads)
        return version

    def _bucket(self, asked: Asked, permission: str, *, reads: bool = False) -> Bucket:
        bucket = self._find_bucket(asked.bucket)
        asked.require(permission, bucket_path(bucket.name))
        resources.check(asked.parameters, 0, int(bucket.meta["metageneration"]), reads=reads)
        return bucket

    def _find_bucket(self, name: str) -> Bucket:
        if name not in self._buckets:
            raise ApiError("NOT_FOUND", "The specified bucket does not exist.")
        return self._buckets[name]

    def _check_project(self, asked: Asked) -> None:
        project = asked.parameters.get("project", "")
        if project not in (self._cloud.project.id, self._cloud.project.number):
            raise invalid(f"Unknown project id: {project}" if project else "Required parameter: project")

    def _check_acl(self, asked: Asked, bucket: Bucket, wanted: Json) -> None:
        """Access control lists are not supported: whoever relies on one is told."""
        lists = [key for key in ("acl", "defaultObjectAcl") if wanted.get(key)]
        names = ("predefinedAcl", "predefinedDefaultObjectAcl", "destinationPredefinedAcl")
        lists += [key for key in names if asked.parameters.get(key, "") not in _PRIVATE]
        if lists and bucket.is_uniform:
            raise invalid("Cannot use ACL API to update bucket policy when uniform bucket-level access is enabled.")
        if lists:
            raise unsupported(f"storage.googleapis.com: {', '.join(lists)} (access control lists)")


def _found(bucket: Bucket, name: str, generation: str) -> Version:
    version = bucket.find(name, generation)
    if version is None:
        raise ApiError("NOT_FOUND", f"No such object: {bucket.name}/{name}" + (f"#{generation}" if generation else ""))
    return version


def _numbers(version: Version | None) -> tuple[int, int]:
    return (version.generation, int(version.meta["metageneration"])) if version else (0, 0)


def _check_holds(version: Version) -> None:
    for key, name in (("eventBasedHold", "event-based hold"), ("temporaryHold", "temporary hold")):
        if version.meta.get(key):
            what = f"{version.meta['bucket']}/{version.meta['name']}"
            message = f"Object '{what}' is under active {name} and cannot be deleted or overwritten."
            raise ApiError("PERMISSION_DENIED", message)


def _policy(bucket: Bucket, policy: Any) -> Json:
    shown: Json = json_format.MessageToDict(policy)
    shown["etag"] = base64.b64encode(policy.etag).decode()
    return {"kind": "storage#policy", "resourceId": bucket_path(bucket.name), "version": 1, **shown}


def _from_headers(asked: Asked) -> Json:
    """The resource of an object that comes alone: by the parameter `name`, or by the XML API's headers."""
    headers = asked.request.headers
    fields = {
        "cache-control": "cacheControl",
        "content-disposition": "contentDisposition",
        "content-encoding": "contentEncoding",
        "content-language": "contentLanguage",
    }
    wanted: Json = {field: headers[header] for header, field in fields.items() if header in headers}
    metadata = {
        key.removeprefix("x-goog-meta-"): value for key, value in headers.items() if key.startswith("x-goog-meta-")
    }
    if metadata:
        wanted["metadata"] = metadata
    for pair in headers.get("x-goog-hash", "").split(","):
        name, _, value = pair.strip().partition("=")
        if key := {"md5": "md5Hash", "crc32c": "crc32c"}.get(name):
            wanted[key] = value
    return {**wanted, "name": asked.object}
