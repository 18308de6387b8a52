"""Buckets, objects and their generations. Small contents are in memory, large ones in files."""

import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import google_crc32c

Json = dict[str, Any]

_IN_MEMORY: Final = 256 * 1024


class Content:
    """The bytes of one generation of an object.

    Args:
        data: All of them.
        folder: Where large ones are kept.
    """

    def __init__(self, data: bytes, folder: Path) -> None:
        self.size = len(data)
        self.md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        self.crc32c = base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
        self._data: bytes | None = data if self.size <= _IN_MEMORY else None
        self._file = folder / f"{time.time_ns()}-{id(self)}"
        if self._data is None:
            self._file.write_bytes(data)

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to, not including, `end`."""
        if self._data is not None:
            return self._data[start:end]
        with self._file.open("rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else end - start)

    def __del__(self) -> None:
        # several generations share a content that was copied; the last of them takes the file with it
        if getattr(self, "_data", b"") is None:
            self._file.unlink(missing_ok=True)


@dataclass
class Version:
    """One generation of an object.

    Attributes:
        meta: What the API shows of it.
        content: Its bytes.
    """

    meta: Json
    content: Content

    @property
    def generation(self) -> int:
        return int(self.meta["generation"])

    @property
    def is_live(self) -> bool:
        """Whether this is the object as it is now, not a noncurrent version."""
        return "timeDeleted" not in self.meta


@dataclass
class Bucket:
    """A bucket.

    Attributes:
        meta: What the API shows of it.
        objects: The versions of each object, the oldest first.
        notices: Its notifications.
    """

    meta: Json
    objects: dict[str, list[Version]] = field(default_factory=dict)
    notices: list[Json] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.meta["name"])

    @property
    def keeps_versions(self) -> bool:
        """Whether object versioning is on."""
        return bool(self.meta.get("versioning", {}).get("enabled"))

    @property
    def is_uniform(self) -> bool:
        """Whether uniform bucket-level access is on."""
        return bool(self.meta["iamConfiguration"]["uniformBucketLevelAccess"].get("enabled"))

    def live(self, name: str) -> Version | None:
        """Return an object as it is now."""
        versions = self.objects.get(name)
        return versions[-1] if versions and versions[-1].is_live else None

    def find(self, name: str, generation: str = "") -> Version | None:
        """Return a generation of an object, the live one when none is named."""
        if not generation:
            return self.live(name)
        return next((one for one in self.objects.get(name, []) if str(one.generation) == generation), None)

    def put(self, version: Version) -> None:
        """Make a version the live one; what was live becomes noncurrent, or goes."""
        name = version.meta["name"]
        if self.live(name):
            self.retire(name)
        self.objects.setdefault(name, []).append(version)

    def retire(self, name: str) -> None:
        """Delete an object as it is now; with versioning on it stays as a noncurrent version."""
        versions = self.objects[name]
        if self.keeps_versions:
            versions[-1].meta["timeDeleted"] = now()
        else:
            self.remove(versions[-1])

    def remove(self, version: Version) -> None:
        """Delete one generation for good."""
        versions = self.objects[version.meta["name"]]
        versions.remove(version)
        if not versions:
            del self.objects[version.meta["name"]]

    def versions(self) -> Iterator[Version]:
        """All versions of all objects, by name and generation."""
        for name in sorted(self.objects):
            yield from self.objects[name]


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Gives generations: microseconds since 1970, and never one twice."""

    def __init__(self) -> None:
        self._last = 0

    def generation(self) -> int:
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


def etag(*parts: object) -> str:
    """An etag that follows from what it is of."""
    return base64.b64encode(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()).decode()
