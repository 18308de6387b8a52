"""Lists of objects: by prefix, folded at a delimiter, with versions, in pages."""

import base64
import re
from typing import Final

from ragonotebooks.sandbox.gcp.errors import invalid
from ragonotebooks.sandbox.gcp.storage.model import Bucket, Json, Version

_PAGE: Final = 1000


def objects(bucket: Bucket, parameters: dict[str, str]) -> Json:
    """Return one page of a list of objects, as `storage.objects.list` answers it."""
    size = min(int(parameters.get("maxResults") or _PAGE), _PAGE)
    after = last = _read_token(parameters.get("pageToken", ""))
    answer: Json = {"kind": "storage#objects"}
    items: list[Json] = []
    prefixes: list[str] = []
    for version in bucket.versions():
        if not _is_wanted(version, parameters):
            continue
        folder = _folder(version.meta["name"], parameters)
        place = (folder, 0) if folder else (version.meta["name"], version.generation)
        if place <= after or (folder and prefixes[-1:] == [folder]):
            continue
        if len(items) + len(prefixes) == size:
            answer["nextPageToken"] = _token(last)
            break
        last = place
        if folder:
            prefixes.append(folder)
        if not folder or (is_true(parameters, "includeTrailingDelimiter") and version.meta["name"] == folder):
            items.append(version.meta)
    if items:
        answer["items"] = items
    if prefixes:
        answer["prefixes"] = prefixes
    return answer


def is_true(parameters: dict[str, str], name: str) -> bool:
    """Whether a parameter says yes; google-cloud-storage writes `True`."""
    return parameters.get(name, "").lower() == "true"


def _is_wanted(version: Version, parameters: dict[str, str]) -> bool:
    name: str = version.meta["name"]
    if not version.is_live and not is_true(parameters, "versions"):
        return False
    if not name.startswith(parameters.get("prefix", "")) or name < parameters.get("startOffset", ""):
        return False
    if (end := parameters.get("endOffset")) and name >= end:
        return False
    glob = parameters.get("matchGlob")
    return not glob or _glob(glob).fullmatch(name) is not None


def _folder(name: str, parameters: dict[str, str]) -> str:
    """The prefix that a name is folded into, empty when it is shown itself."""
    delimiter, prefix = parameters.get("delimiter", ""), parameters.get("prefix", "")
    if not delimiter or delimiter not in name[len(prefix) :]:
        return ""
    return prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter


def _glob(text: str) -> re.Pattern[str]:
    """`**` is anything, `*` anything but a slash, `{a,b}` either. Source: Cloud Storage, "List objects by glob"."""
    parts = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
    pieces = re.split(r"(\*\*|\*|\?|\{|\}|,|\[[^\]]+\])", text)
    return re.compile("".join(parts.get(one, one if one.startswith("[") else re.escape(one)) for one in pieces))


def _token(place: tuple[str, int]) -> str:
    return base64.urlsafe_b64encode(f"{place[1]}:{place[0]}".encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    if not token:
        return ("", -1)
    try:
        number, _, name = base64.urlsafe_b64decode(token).decode().partition(":")
        return (name, int(number))
    except ValueError:
        raise invalid("Invalid argument: the page token is not one of this list.") from None
