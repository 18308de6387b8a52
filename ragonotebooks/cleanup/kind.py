"""A kind of resource: how to find a deployment's resources of that kind, and how to delete one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ragonotebooks.cleanup.ownership import Ownership


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
        service: The service's name as boto3 spells it.
        name: What a person calls such a resource.
        find: Yields the deployment's resources, given the service's client; reads only.
        delete: Deletes the resource with an id and what it contains; may return before it is gone.
    """

    service: str
    name: str
    find: Callable[[Any, Ownership], Iterable[Found]]
    delete: Callable[[Any, str], object]


def pages(client: Any, operation: str, items: str, **arguments: Any) -> Iterator[Any]:
    """Yield what the list `items` of an operation's answers holds, page after page."""
    if client.can_paginate(operation):
        answers = client.get_paginator(operation).paginate(**arguments)
    else:
        answers = [getattr(client, operation)(**arguments)]
    for answer in answers:
        yield from answer.get(items, [])


def tagged(
    service: str,
    name: str,
    items: Callable[[Any], Iterable[Any]],
    identify: Callable[[Any], str],
    tags: Callable[[Any, Any], Iterable[Mapping[str, str]] | Mapping[str, str] | None],
    delete: Callable[[Any, str], object],
) -> Kind:
    """A kind that is listed without more ado.

    Args:
        service: The service's name as boto3 spells it.
        name: What a person calls such a resource.
        items: Lists all there are, given the client.
        identify: What the service calls an item.
        tags: An item's tags, given the client.
        delete: Deletes the resource with an id.
    """

    def find(client: Any, owner: Ownership) -> Iterator[Found]:
        for item in items(client):
            if owner.covers(tags(client, item)):
                yield Found(identify(item))

    return Kind(service, name, find, delete)
