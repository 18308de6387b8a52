"""Deletes a deployment: finds what is there, deletes what it can, looks again, until nothing is left or nothing moves.

It keeps no list between two runs: what is there is what the cloud says, so running again is how a cleanup goes on.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ragonotebooks.cleanup.kind import Found, Kind
from ragonotebooks.cleanup.order import ORDER
from ragonotebooks.cleanup.ownership import Ownership

Clients = Callable[[str], Any]

_FIRST_PAUSE: Final = 0.1  # seconds

#: Reasons that pass by themselves when what holds a resource has gone.
_PASSING: Final = frozenset(
    {
        "DependencyViolation",
        "DeleteConflict",
        "CacheSubnetGroupInUse",
        "ClusterContainsServicesException",
        "InvalidCacheParameterGroupState",
        "InvalidDBInstanceState",
        "InvalidReplicationGroupState",
        "ResourceInUse",
        "InvalidDBSubnetGroupStateFault",
        "ClusterContainsTasksException",
        "InvalidIPAddress.InUse",
        "AuthFailure",  # releasing an address whose NAT gateway is still going
        "OperationAborted",
        "ThrottlingException",
        "RequestLimitExceeded",
    }
)
_UNPLAYED: Final = frozenset({"NotImplemented"})


@dataclass(frozen=True)
class Row:
    """What became of one resource.

    Attributes:
        service: The service as boto3 spells it.
        kind: What a person calls such a resource.
        id: The resource; "*" when the kind could not be looked for.
        action: `would delete`, `deleted`, `left`, or `kept` when its kind was to be kept.
        why: Why it was left; empty otherwise.
    """

    service: str
    kind: str
    id: str
    action: Literal["would delete", "deleted", "left", "kept"]
    why: str = ""


@dataclass(frozen=True)
class Patience:
    """How long to keep trying.

    Attributes:
        pause: Seconds between two rounds, at most; the first ones are shorter.
        limit: Seconds without any progress after which what is there is left.
    """

    pause: float
    limit: float


_Key = tuple[Kind, str]


@dataclass
class _Look:
    """What one look around found, and what stood in the way of deleting it."""

    found: dict[_Key, Found] = field(default_factory=dict)
    unseen: dict[Kind, Exception] = field(default_factory=dict)
    refused: dict[_Key, Exception] = field(default_factory=dict)

    def going(self) -> set[_Key]:
        """What was accepted for deletion and is not gone yet."""
        return self.found.keys() - self.refused.keys()

    def may_change(self) -> bool:
        """Whether waiting can help: something is going, or is held by something that may go."""
        return bool(self.going()) or any(_is(error, _PASSING) for error in self.refused.values())


def plan(clients: Clients, owner: Ownership, keep: Collection[Kind] = ()) -> Iterator[Row]:
    """Yield what a cleanup would delete, in order, and behind it what it would keep. Reads only.

    Args:
        clients: Returns the boto3 client of a service.
        owner: Whose resources.
        keep: Kinds that are not deleted.
    """
    look = _look(clients, owner, [kind for kind in ORDER if kind not in keep])
    yield from (Row(kind.service, kind.name, name, "would delete") for kind, name in look.found)
    yield from _unseen(look)
    yield from _kept(clients, owner, keep)


def clean(clients: Clients, owner: Ownership, patience: Patience, keep: Collection[Kind] = ()) -> Iterator[Row]:
    """Delete a deployment; yield each resource when it is gone, and at the end each that is left and why, or is kept.

    Args:
        clients: Returns the boto3 client of a service.
        owner: Whose resources.
        patience: How long to try.
        keep: Kinds that are not deleted.
    """
    kinds = [kind for kind in ORDER if kind not in keep]
    before: dict[_Key, Found] = {}
    ever_going: set[_Key] = set()
    moved, pause = time.monotonic(), min(_FIRST_PAUSE, patience.pause)
    while True:
        look = _look(clients, owner, kinds)
        gone = [key for key in before if key not in look.found and key[0] not in look.unseen]
        yield from (Row(kind.service, kind.name, name, "deleted") for kind, name in gone)
        _delete(clients, look)
        if gone or look.going() - ever_going:
            moved = time.monotonic()
        before, ever_going = look.found, ever_going | look.going()
        if not look.may_change() or time.monotonic() - moved > patience.limit:
            break
        # most things go at once, a database takes minutes
        time.sleep(pause)
        pause = min(2 * pause, patience.pause)
    yield from _refused(look)
    yield from _unseen(look)
    yield from _kept(clients, owner, keep)


def _look(clients: Clients, owner: Ownership, kinds: Collection[Kind]) -> _Look:
    look = _Look()
    for kind in kinds:
        try:
            found = list(kind.find(clients(kind.service), owner))
        except (ClientError, BotoCoreError) as error:
            # what a sandbox does not play, nobody has made there
            if not _is(error, _UNPLAYED):
                look.unseen[kind] = error
        else:
            look.found.update({(kind, one.id): one for one in found})
    return look


def _delete(clients: Clients, look: _Look) -> None:
    for (kind, name), found in look.found.items():
        if found.leaving:
            continue
        try:
            kind.delete(clients(kind.service), name)
        except (ClientError, BotoCoreError) as error:
            look.refused[kind, name] = error


def _refused(look: _Look) -> Iterator[Row]:
    for kind, name in look.found:
        error = look.refused.get((kind, name))
        why = _sentence(error) if error else "its deletion goes on in the cloud; run the cleanup again to see it gone"
        yield Row(kind.service, kind.name, name, "left", why)


def _unseen(look: _Look) -> Iterator[Row]:
    for kind, error in look.unseen.items():
        yield Row(kind.service, kind.name, "*", "left", f"these could not be looked for: {_sentence(error)}")


def _kept(clients: Clients, owner: Ownership, kinds: Collection[Kind]) -> Iterator[Row]:
    look = _look(clients, owner, kinds)
    yield from (Row(kind.service, kind.name, name, "kept") for kind, name in look.found)
    yield from _unseen(look)


def _is(error: Exception, codes: frozenset[str]) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in codes


def _sentence(error: Exception) -> str:
    if isinstance(error, ClientError):
        return "{Code}: {Message}".format_map(error.response["Error"])
    return str(error)
