"""Deletes a deployment: finds what is there, deletes what it can, looks again, until nothing is left or nothing moves.

It keeps no list between two runs: what is there is what the cloud says, so running again is how a cleanup goes on.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from ragonotebooks.cleanup.kind import Account, Found, Kind, Refusal

_FIRST_PAUSE: Final = 0.1  # seconds


@dataclass(frozen=True)
class Row:
    """What became of one resource.

    Attributes:
        service: The service, as its client is called.
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
    unseen: dict[Kind, Refusal] = field(default_factory=dict)
    refused: dict[_Key, Refusal] = field(default_factory=dict)

    def going(self) -> set[_Key]:
        """What was accepted for deletion and is not gone yet."""
        return self.found.keys() - self.refused.keys()

    def forbidden(self, kind: Kind, found: Found) -> str:
        """Why a resource must not be deleted; empty when it may be."""
        if kind.opens and any(one.protected for one in self.found.values()):
            return found.protected or "what is protected may be encrypted with it"
        return found.protected

    def may_change(self) -> bool:
        """Whether waiting can help: something is going, or is held by something that may go."""
        return bool(self.going()) or any(refusal.passing for refusal in self.refused.values())


def plan(account: Account, deployment: str, keep: Collection[Kind] = ()) -> Iterator[Row]:
    """Yield what a cleanup would delete, in order, and behind it what it would keep. Reads only.

    Args:
        account: Where.
        deployment: Its name, the value of the tag `deployment`.
        keep: Kinds that are not deleted.
    """
    look = _look(account, deployment, [kind for kind in account.order if kind not in keep])
    for (kind, name), found in look.found.items():
        why = look.forbidden(kind, found)
        yield Row(kind.service, kind.name, name, "left" if why else "would delete", why)
    yield from _unseen(look)
    yield from _kept(account, deployment, keep)


def clean(account: Account, deployment: str, patience: Patience, keep: Collection[Kind] = ()) -> Iterator[Row]:
    """Delete a deployment; yield each resource when it is gone, and at the end each that is left and why, or is kept.

    Args:
        account: Where.
        deployment: Its name, the value of the tag `deployment`.
        patience: How long to try.
        keep: Kinds that are not deleted.
    """
    kinds = [kind for kind in account.order if kind not in keep]
    before: dict[_Key, Found] = {}
    ever_going: set[_Key] = set()
    moved, pause = time.monotonic(), min(_FIRST_PAUSE, patience.pause)
    while True:
        look = _look(account, deployment, kinds)
        gone = [key for key in before if key not in look.found and key[0] not in look.unseen]
        yield from (Row(kind.service, kind.name, name, "deleted") for kind, name in gone)
        _delete(account, look)
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
    yield from _kept(account, deployment, keep)


def survey(account: Account) -> tuple[list[tuple[Kind, Found]], list[Row]]:
    """Return what belongs to any deployment, in the order of deletion, and what could not be looked for. Reads only."""
    look = _look(account, None, account.order)
    return [(kind, found) for (kind, _), found in look.found.items()], list(_unseen(look))


def _look(account: Account, deployment: str | None, kinds: Collection[Kind]) -> _Look:
    look = _Look()
    for kind in kinds:
        try:
            everything = kind.find(account.clients(kind.service))
            found = [one for one in everything if deployment in (None, one.deployment)]
        except account.errors as error:
            refusal = account.read(error)
            if not refusal.nothing_there:
                look.unseen[kind] = refusal
        else:
            look.found.update({(kind, one.id): one for one in found})
    return look


def _delete(account: Account, look: _Look) -> None:
    for (kind, name), found in look.found.items():
        if found.leaving:
            continue
        if why := look.forbidden(kind, found):
            look.refused[kind, name] = Refusal(why)
            continue
        try:
            kind.delete(account.clients(kind.service), name)
        except account.errors as error:
            look.refused[kind, name] = account.read(error)


def _refused(look: _Look) -> Iterator[Row]:
    for kind, name in look.found:
        refusal = look.refused.get((kind, name))
        why = refusal.why if refusal else "its deletion goes on in the cloud; run the cleanup again to see it gone"
        yield Row(kind.service, kind.name, name, "left", why)


def _unseen(look: _Look) -> Iterator[Row]:
    for kind, refusal in look.unseen.items():
        yield Row(kind.service, kind.name, "*", "left", f"these could not be looked for: {refusal.why}")


def _kept(account: Account, deployment: str, kinds: Collection[Kind]) -> Iterator[Row]:
    look = _look(account, deployment, kinds)
    yield from (Row(kind.service, kind.name, name, "kept") for kind, name in look.found)
    yield from _unseen(look)
