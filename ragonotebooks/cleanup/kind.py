"""A kind of resource, and the account or project that a cleanup goes through kind by kind."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ragonotebooks.cleanup.ownership import Ownership

#: Returns the client of a service.
Clients = Callable[[str], Any]


@dataclass(frozen=True)
class Found:
    """A resource of the deployment.

    Attributes:
        id: What its service calls it: a name, an id or an ARN.
        leaving: Its deletion was asked for before and goes on; there is nothing to do but wait.
    """

    id: str
    leaving: bool = False


@dataclass(frozen=True)
class Kind:
    """One entry of the order of deletion.

    Attributes:
        service: What its client is asked for by: `s3` as boto3 spells it, `run` as the host of a Google API begins.
        name: What a person calls such a resource.
        find: Yields the deployment's resources, given the service's client; reads only.
        delete: Deletes the resource with an id and what it contains; may return before it is gone.
    """

    service: str
    name: str
    find: Callable[[Any, Ownership], Iterable[Found]]
    delete: Callable[[Any, str], object]


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
class Account:
    """Where a cleanup works: an AWS account, a project of Google Cloud.

    Attributes:
        clients: Returns the client of a service.
        order: The kinds, in the order of their deletion.
        errors: What clients raise when a call is refused.
        read: What such an error means.
    """

    clients: Clients
    order: tuple[Kind, ...]
    errors: tuple[type[Exception], ...]
    read: Callable[[Exception], Refusal]
