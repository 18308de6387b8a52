"""Secrets where they do not belong: the search that the checklists of both clouds share. It tells where, and never what."""

import json
from collections.abc import Iterable
from typing import Final

from isal import igzip

from ragonotebooks.images import Image

_PIECE: Final = 1_000_000  # bytes
_SOUNDS: Final = ("PASSWORD", "SECRET", "TOKEN", "API_KEY")


class Leaks:
    """Looks for a deployment's secrets; the search happens in this process, so that no record of calls gets to hold them.

    Args:
        values: The secrets.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._values = sorted({value.encode() for value in values})

    @property
    def shortest(self) -> int:
        """The length of the shortest secret, in bytes; 0 when there is none."""
        return min(map(len, self._values), default=0)

    def in_text(self, text: str) -> bool:
        """Whether a text holds a secret."""
        return self._in(text.encode())

    def in_image(self, image: Image) -> bool:
        """Whether the image's settings or its uppermost layer, which is ours, hold a secret."""
        if self.in_text(json.dumps(dict(image.config))):
            return True
        kept = b""
        with image.layers[-1].open() as blob, igzip.open(blob) as layer:  # type: ignore[no-untyped-call]
            while piece := layer.read(_PIECE):
                if self._in(kept + piece):
                    return True
                kept = piece[-max(map(len, self._values), default=0) :]
        return False

    def _in(self, data: bytes) -> bool:
        return any(value in data for value in self._values)


def sounds_secret(variable: str) -> bool:
    """Whether a variable's name says that its value is a secret."""
    return any(word in variable.upper() for word in _SOUNDS)
