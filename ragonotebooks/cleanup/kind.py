"""A kind of resource, and the account or project that a cleanup goes through kind by kind."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ragonotebooks.cleanup.ownership import Tags, deployment_of, plain

#: Returns the client of a service.
Clients = Callable[[str], Any]

DELETION_PROTECTION: Final = "its deletion protection is on; turn that off to have it deleted"
_PROTECTED: Final = "it carries protected=true; take that off to have it deleted"


@dataclass(frozen=True)
class Found:
    """A resource of a deployment.

    Attributes:
        id: What its service calls it: a name, an id or an ARN.
        deployment: Which deployment it belongs to.
        made: When somebody made it, where its service tells.
        leaving: Its deletion was asked for before and goes on; there is nothing to do but wait.
        protected: Why it must not be deleted; empty when it may be.
        regional: Whether it is in the region that was looked at; otherwise all regions share it.
    """

    id: str
    deployment: str
    made: datetime | None = None
    leaving: bool = False
    protected: str = ""
    regional: bool = True


def belonging(
    tags: Tags,
    name: str,
    *,
    made: datetime | None = None,
    leaving: bool = False,
    protected: str = "",
    regional: bool = True,
) -> Iterator[Found]:
    """Yield a resource when its tags say that it belongs to a deployment; the tag `protected=true` protects it.

    Args:
        tags: What it carries.
        name: Its id; the other arguments are those of `Found`.
    """
    carried = plain(tags)
    if deployment := deployment_of(carried):
        why = protected or (_PROTECTED if carried.get("protected") == "true" else "")
        yield Found(name, deployment, made, leaving, why, regional)


@dataclass(frozen=True)
class Kind:
    """One entry of the order of deletion.

    Attributes:
        service: What its client is asked for by: `s3` as boto3 spells it, `run` as the host of a Google API begins.
        name: What a person calls such a resource.
        find: Yields the resources of all deployments, given the service's client; reads only.
        delete: Deletes the resource with an id and what it contains; may return before it is gone.
        opens: Whether nothing can read without it what is encrypted with it.
    """

    service: str
    name: str
    find: Callable[[Any], Iterable[Found]]
    delete: Callable[[Any, str], object]
    opens: bool = False


@dataclass(frozen=True)
class Refusal:
    """What an error of a client means to a cleanup.

    Attributes:
        why: What a person reads.
        passing: It passes by itself when what holds the resource has gone.
        nothing_there: The service is not in use here, so it holds nothing.
    """

    why: str
    passing: bool = False
    nothing_there: bool = False


@dataclass(frozen=True)
class Making:
    """What the cloud's own log of calls says about how a resource came to be.

    Attributes:
        who: The caller: an ARN or an e-mail address.
        when: When.
    """

    who: str
    when: datetime


@dataclass(frozen=True)
class Account:
    """Where a cleanup works: an AWS account, a project of Google Cloud.

    Attributes:
        clients: Returns the client of a service.
        order: The kinds, in the order of their deletion.
        errors: What clients raise when a call is refused.
        read: What such an error means.
        making: Looks up how a resource came to be; None when the log does not know it, or no longer.
    """

    clients: Clients
    order: tuple[Kind, ...]
    errors: tuple[type[Exception], ...]
    read: Callable[[Exception], Refusal]
    making: Callable[[Found], Making | None]
