"""Whose a resource is, told by its tags and by nothing else: no list kept on the side.

What a cloud has no tags for carries them in its description.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_MANAGER: Final = "ragonotebooks"


@dataclass(frozen=True)
class Ownership:
    """A deployment's mark.

    Attributes:
        deployment: The value of the tag `deployment`, such as "ragonometrics".
    """

    deployment: str

    def covers(self, tags: Iterable[Mapping[str, str]] | Mapping[str, str] | None) -> bool:
        """Whether both of the deployment's tags are among `tags`, however a service spells a list of tags.

        Args:
            tags: `{"name": "value"}`, or a list of `{"Key", "Value"}`, `{"key", "value"}` or `{"TagKey", "TagValue"}`.
        """
        found = dict(tags) if isinstance(tags, Mapping) else dict(_pair(tag) for tag in tags or [])
        return found.get("deployment") == self.deployment and found.get("managed-by") == _MANAGER

    def marks(self, name: str, description: str) -> bool:
        """Whether a description holds both tags, `deployment=x, managed-by=ragonotebooks`, and the name begins as ours do.

        The name is asked for too since anybody may copy a description.
        """
        said = dict(part.strip().partition("=")[::2] for part in description.split(","))
        return self.covers(said) and _letters(name).startswith(_letters(self.deployment))


def _letters(name: str) -> str:
    """A name without the signs that some kinds of names cannot have."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _pair(tag: Mapping[str, str]) -> tuple[str, str]:
    plain = {word.lower().removeprefix("tag"): text for word, text in tag.items()}
    return plain["key"], plain["value"]
