"""Which deployments of an account are old enough to go, whose they are, and why the others stay.

A deployment is as old as the last thing that somebody made in it: what is worked on stays, what was forgotten goes. Who
brought it up is who made its first resource, and the cloud's own log of calls says that: a tag would say who claims to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from ragonotebooks.cleanup import engine
from ragonotebooks.cleanup.kind import Account, Found, Kind, Making

_ASKED: Final = 10  # resources of one deployment: CloudTrail answers two lookups a second


@dataclass(frozen=True)
class Deployment:
    """A deployment as it was found.

    Attributes:
        name: Its name.
        resources: What belongs to it, in the order of deletion.
        making: Who brought it up, and when; None when the cloud's log does not tell.
        unread: Why that log could not be read; empty when it could.
    """

    name: str
    resources: tuple[tuple[Kind, Found], ...]
    making: Making | None
    unread: str = ""

    @property
    def owner(self) -> str:
        """Who brought it up: a user's or a session's name, an e-mail address; empty when nobody knows."""
        return self.making.who.rpartition("/")[2] if self.making else ""

    @property
    def made(self) -> datetime | None:
        """When the last thing was made in it; None when nothing tells."""
        dates = [found.made for _, found in self.resources if found.made]
        return max(dates, default=self.making.when if self.making else None)

    @property
    def here(self) -> bool:
        """Whether it is in the region: something is that regions do not share."""
        return any(found.regional for _, found in self.resources)


@dataclass(frozen=True)
class Rule:
    """What a sweep deletes.

    Attributes:
        age: How long ago the last thing was made in a deployment, at least.
        owner: Who brought it up: an ARN or its last part, an e-mail address; empty for everybody.
        now: The time.
    """

    age: timedelta
    owner: str
    now: datetime

    def spares(self, deployment: Deployment) -> str:
        """Return why a deployment stays however old it is; empty when its age decides."""
        if not deployment.here:
            return "nothing of it is in this region but what all regions share"
        if self.owner and self.owner not in _names(deployment):
            return "somebody else brought it up" if deployment.making else "nobody knows who brought it up"
        protected = ((kind, found) for kind, found in deployment.resources if found.protected)
        return next((f"{kind.name} {found.id}: {found.protected}" for kind, found in protected), "")

    def stays(self, deployment: Deployment) -> str:
        """Return why a deployment stays; empty when it goes."""
        if why := self.spares(deployment):
            return why
        if deployment.made is None:
            return f"nothing tells its age; delete it with: ragonotebooks cleanup --deployment {deployment.name}"
        return "" if self.now - deployment.made >= self.age else "it is not that old"


def deployments(account: Account) -> tuple[list[Deployment], list[engine.Row]]:
    """Return all deployments by name, and what could not be looked for. Reads only."""
    found, unseen = engine.survey(account)
    by_name: dict[str, list[tuple[Kind, Found]]] = {}
    for kind, one in found:
        by_name.setdefault(one.deployment, []).append((kind, one))
    return [_known(account, name, by_name[name]) for name in sorted(by_name)], unseen


def _known(account: Account, name: str, resources: list[tuple[Kind, Found]]) -> Deployment:
    try:
        making = next(_makings(account, [found for _, found in resources]), None)
    except account.errors as error:
        return Deployment(name, tuple(resources), None, account.read(error).why)
    return Deployment(name, tuple(resources), making)


def _makings(account: Account, resources: list[Found]) -> Iterator[Making]:
    """What the log tells, of the oldest resource first. Without any date that is the one that has to be deleted last."""
    dated = sorted((one for one in resources if one.made), key=attrgetter("made"))
    for one in (dated or resources[::-1])[:_ASKED]:
        if making := account.making(one):
            yield making


def _names(deployment: Deployment) -> tuple[str, ...]:
    return (deployment.making.who, deployment.owner) if deployment.making else ()
