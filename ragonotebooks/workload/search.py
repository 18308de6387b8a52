"""Search: the passages that answer a question, each with what is needed to cite it.

Two orders are fused, by meaning and by words: a question in a reader's own words is found by meaning, a name or a
term by its letters, and nobody knows beforehand which of the two will be asked.
"""

import os
import sys
from dataclasses import dataclass

from . import job, logs, settings
from .chunks import Passage
from .embeddings import embed
from .errors import InputError
from .ranking import fuse
from .store import Store, connect


@dataclass(frozen=True)
class Hit:
    """A passage and its score: reciprocal ranks by meaning and by words, added up (0.033 is the most)."""

    passage: Passage
    score: float


def search(store: Store, question: str, top: int = 5) -> list[Hit]:
    """The `top` passages for a question, best first. Raises InputError when the question is blank."""
    if not question.strip():
        raise InputError('There is no question: run python -m workload.search "your question".')
    store.require_schema()
    by_meaning, by_words = store.nearest(embed([question])[0]), store.matching(question)
    return [Hit(passage, score) for passage, score in fuse([by_meaning, by_words])[:top]]


def main() -> None:
    question = " ".join(sys.argv[1:])
    with connect(settings.database(os.environ)) as store:
        hits = search(store, question)
    for rank, hit in enumerate(hits, start=1):
        found = hit.passage
        logs.info(
            "passage",
            rank=rank,
            score=round(hit.score, 6),
            paper=found.paper,
            title=found.title,
            authors=found.authors,
            year=found.year,
            venue=found.venue,
            passage=found.text,
        )
    logs.info("searched", question=question, passages=len(hits))


if __name__ == "__main__":
    raise SystemExit(job.run(main))
