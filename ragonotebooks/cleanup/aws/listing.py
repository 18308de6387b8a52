"""How resources of AWS are listed: page by page, with their tags."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ragonotebooks.cleanup.kind import Found, Kind, belonging
from ragonotebooks.cleanup.ownership import Tags


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
    tags: Callable[[Any, Any], Tags],
    delete: Callable[[Any, str], object],
    *,
    made: str = "",
    regional: bool = True,
) -> Kind:
    """A kind that is listed without more ado.

    Args:
        service: The service's name as boto3 spells it.
        name: What a person calls such a resource.
        items: Lists all there are, given the client.
        identify: What the service calls an item.
        tags: An item's tags, given the client.
        delete: Deletes the resource with an id.
        made: The field of an item that says when somebody made it; empty when none does.
        regional: Whether they are in a region; otherwise all regions share them.
    """

    def find(client: Any) -> Iterator[Found]:
        for item in items(client):
            yield from belonging(
                tags(client, item), identify(item), made=item.get(made) if made else None, regional=regional
            )

    return Kind(service, name, find, delete)
