"""Passages: the overlapping pieces of a paper that are embedded, found and cited."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .records import Paper

WORDS = 200  # a passage is at most this many words: a summary stays whole, which found more papers than halves did
OVERLAP = 40  # words that a passage repeats of the one before, so that a sentence at the border is found whole
LONGEST_WORD = 40  # a longer run of characters counts as several words, so that no passage grows without bound


@dataclass(frozen=True)
class Passage:
    """A piece of a paper with all that a citation needs; `position` counts from 0 within the paper."""

    paper: str
    position: int
    text: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    venue: str | None

    @property
    def id(self) -> str:
        """The paper's id and the position: the same as long as the paper is the same."""
        return f"{self.paper}#{self.position}"

    @property
    def searchable(self) -> str:
        """What is embedded and ranked: a passage from the middle of a paper says what it is about by its title."""
        return f"{self.title}\n{self.text}"


def passages(paper: Paper) -> list[Passage]:
    """The passages of a paper, in reading order."""
    return [
        Passage(paper.id, position, paper.text[start:end], paper.title, paper.authors, paper.year, paper.venue)
        for position, (start, end) in enumerate(spans(paper.text))
    ]


def spans(text: str, size: int = WORDS, overlap: int = OVERLAP) -> Iterator[tuple[int, int]]:
    """Where the passages of `text` start and end: at most `size` words each, the last `overlap` of them repeated.

    A passage ends with a sentence where one ends in its last third.
    """
    words = [word.span() for word in re.finditer(rf"\S{{1,{LONGEST_WORD}}}", text)]
    first, last = 0, 0
    while last < len(words):
        last = _sentence_end(text, words, first + size - size // 3, min(first + size, len(words)))
        yield words[first][0], words[last - 1][1]
        first = last - overlap


def _sentence_end(text: str, words: list[tuple[int, int]], earliest: int, latest: int) -> int:
    if latest == len(words):
        return latest
    ends = (last for last in range(latest, earliest, -1) if text[words[last - 1][1] - 1] in ".?!")
    return next(ends, latest)
