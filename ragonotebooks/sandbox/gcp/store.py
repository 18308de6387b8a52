"""What exists: the resources of all services by host and name, in the order in which they were made."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from ragonotebooks.sandbox.gcp.errors import not_found


@dataclass
class Entry:
    """A resource.

    Attributes:
        name: Its full name in its service: `projects/p/secrets/s`.
        rank: Grows with every resource that is made; a page ends at one.
        resource: What the API shows: a protobuf message, or JSON for services that have no messages.
    """

    name: str
    rank: int
    resource: Any


class Store:
    """All resources. Whoever calls holds the control plane's lock."""

    def __init__(self) -> None:
        self._hosts: dict[str, dict[str, Entry]] = {}
        self._ranks = count(1)

    def find(self, host: str, name: str) -> Any | None:
        """Return a resource, None when there is none."""
        entry = self._hosts.get(host, {}).get(name)
        return entry.resource if entry else None

    def get(self, host: str, name: str) -> Any:
        """Return a resource.

        Raises:
            ApiError: There is none.
        """
        found = self.find(host, name)
        if found is None:
            raise not_found(name)
        return found

    def put(self, host: str, name: str, resource: Any) -> None:
        """Keep a resource; what has the name already is replaced in its place."""
        entries = self._hosts.setdefault(host, {})
        if name in entries:
            entries[name].resource = resource
        else:
            entries[name] = Entry(name, next(self._ranks), resource)

    def delete(self, host: str, name: str) -> None:
        """Forget a resource and all that is below it."""
        entries = self._hosts.get(host, {})
        for other in [one for one in entries if one == name or one.startswith(f"{name}/")]:
            del entries[other]

    def children(self, host: str, collection: str) -> Iterator[Entry]:
        """Yield the resources of a collection such as `projects/p/secrets`; `-` stands for any one segment of it."""
        pattern = re.compile(
            "".join("[^/]+/" if part == "-" else f"{re.escape(part)}/" for part in collection.split("/"))
        )
        for entry in list(self._hosts.get(host, {}).values()):
            found = pattern.match(entry.name)
            if found and "/" not in entry.name[found.end() :]:
                yield entry
