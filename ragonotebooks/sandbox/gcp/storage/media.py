"""The bytes of an object as they are sent: whole, or a range of them."""

import gzip
import json
import re
from typing import Final

from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.http_front import Request, Response
from ragonotebooks.sandbox.gcp.storage.model import Version

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_HASHES: Final = {"crc32c": "crc32c", "md5": "md5Hash"}  # what is composed has no MD5
_SHOWN: Final = {
    "cacheControl": "Cache-Control",
    "contentDisposition": "Content-Disposition",
    "contentEncoding": "Content-Encoding",
    "contentLanguage": "Content-Language",
    "contentType": "Content-Type",
}


def download(version: Version, request: Request) -> Response:
    """Answer a request for an object's content, with a refusal where the range that is asked for is not in it."""
    headers = _headers(version)
    if version.meta.get("contentEncoding") == "gzip" and "gzip" not in request.headers.get("accept-encoding", ""):
        # decompressive transcoding: who cannot read gzip gets what is in it, and always the whole
        del headers["Content-Encoding"]
        headers["X-Goog-Stored-Content-Encoding"] = "gzip"
        return Response(200, gzip.decompress(version.content.read()), headers)
    size = version.content.size
    found = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return Response(200, version.content.read(), headers)
    start, end = _bounds(found[1], found[2], size)
    if start >= size or start >= end:
        error = ApiError("OUT_OF_RANGE", "The requested range cannot be satisfied.", "requestedRangeNotSatisfiable")
        # by the size clients see that an empty object is read to its end
        return Response(416, json.dumps(error.with_list()).encode(), {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(206, version.content.read(start, end), headers)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


def _headers(version: Version) -> dict[str, str]:
    meta = version.meta
    headers = {header: str(meta[key]) for key, header in _SHOWN.items() if key in meta}
    headers.update(
        {f"X-Goog-Meta-{key}": str(value) for key, value in meta.get("metadata", {}).items() if value.isascii()}
    )
    return {
        **headers,
        "Accept-Ranges": "bytes",
        "ETag": meta["etag"],
        "X-Goog-Generation": meta["generation"],
        "X-Goog-Metageneration": meta["metageneration"],
        "X-Goog-Hash": ",".join(f"{name}={meta[key]}" for name, key in _HASHES.items() if key in meta),
        "X-Goog-Storage-Class": meta["storageClass"],
        "X-Goog-Stored-Content-Encoding": meta.get("contentEncoding", "identity"),
        "X-Goog-Stored-Content-Length": meta["size"],
    }
