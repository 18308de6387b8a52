"""Whose a resource is, told by its tags and by nothing else: no list kept on the side.

What a cloud has no tags for carries them in its description.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

#: Tags as services spell them: `{"name": "value"}`, or a list of `{"Key", "Value"}`, `{"key", "value"}` or
#: `{"TagKey", "TagValue"}`.
Tags = Iterable[Mapping[str, str]] | Mapping[str, str] | None

_MANAGER: Final = "ragonotebooks"


def plain(tags: Tags) -> dict[str, str]:
    """Return tags as `{"name": "value"}`."""
    return dict(tags) if isinstance(tags, Mapping) else dict(_pair(tag) for tag in tags or [])


def deployment_of(tags: Mapping[str, str]) -> str:
    """Return the deployment that tags name; empty when they do not say that it is managed from here."""
    return tags.get("deployment", "") if tags.get("managed-by") == _MANAGER else ""


def told(name: str, description: str) -> dict[str, str]:
    """Return the tags that a description holds, `deployment=x, managed-by=ragonotebooks`; none when the name is another's.

    The name has to begin with the deployment's since anybody may copy a description.
    """
    tags = dict(part.strip().partition("=")[::2] for part in description.split(","))
    return tags if _letters(name).startswith(_letters(deployment_of(tags))) else {}


def _letters(name: str) -> str:
    """A name without the signs that some kinds of names cannot have."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _pair(tag: Mapping[str, str]) -> tuple[str, str]:
    plain = {word.lower().removeprefix("tag"): text for word, text in tag.items()}
    return plain["key"], plain["value"]
