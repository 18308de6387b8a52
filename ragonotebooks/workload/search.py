"""Search: the passages that answer a question, each with what is needed to cite it.

Two orders are fused, by meaning and by words: a question in a reader's own words is found by meaning, a name or a
term by its letters, and nobody knows beforehand which of the two will be asked.
"""

import os
import sys
from functools import lru_cache

from . import job, logs, settings
from .embeddings import Vectors, embed
from .errors import InputError
from .store import Hit, Store, connect


def search(store: Store, question: str, top: int = 5) -> list[Hit]:
    """The `top` passages for a question that is not blank, best first."""
    return store.search(_vector(question), question, top)


@lru_cache(10_000)  # 10 MB of vectors: people ask the same things
def _vector(question: str) -> Vectors:
    vector: Vectors = embed([question])[0]
    return vector


def main() -> None:
    question = " ".join(sys.argv[1:])
    if not question.strip():
        raise InputError('There is no question: run python -m workload.search "your question".')
    with connect(settings.database(os.environ)) as store:
        store.require_schema()
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
