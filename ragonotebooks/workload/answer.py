"""Answers: the sentences of the retrieved passages that answer a question, each with what it cites.

Nothing is made up: every sentence stands in a passage, and where no sentence comes near the question there is no
answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .embeddings import embed
from .store import Hit

SENTENCES = 3
NEAR = 0.2  # cosine: a sentence that is less near to the question than this answers it by accident
WEIGHT = 9.0  # of the passage's score: 0.3 for the first in both orders; found best on the evaluation's questions


@dataclass(frozen=True)
class Sentence:
    """A sentence, the number from 1 of the passage that it stands in, and how well both fit the question together."""

    text: str
    citation: int
    score: float


def extract(question: str, hits: Sequence[Hit], most: int = SENTENCES) -> list[Sentence]:
    """Up to `most` sentences of the passages, the best first; a sentence that is not near the question is left out."""
    found = [(number, text) for number, hit in enumerate(hits, start=1) for text in sentences(hit.passage.text)]
    if not found:
        return []
    vectors = embed([question, *(text for _, text in found)]).astype(np.float64)
    nearness = (vectors[1:] @ vectors[0]).tolist()
    near = [
        Sentence(text, number, round(cosine + WEIGHT * hits[number - 1].score, 6))
        for (number, text), cosine in zip(found, nearness, strict=True)
        if cosine >= NEAR
    ]
    return sorted(near, key=lambda sentence: -sentence.score)[:most]


def compose(chosen: Sequence[Sentence]) -> str:
    """The sentences as one text, each followed by its citation."""
    return " ".join(f"{sentence.text} [{sentence.citation}]" for sentence in chosen)


def sentences(text: str) -> list[str]:
    """The sentences of a text on one line; an abbreviation within a name is no end."""
    ends = re.split(r"(?<=[.?!])(?<!\b[A-Z]\.) +(?=[\"'“(]?[A-Z0-9])", text)
    return [end for end in ends if end.strip()]
