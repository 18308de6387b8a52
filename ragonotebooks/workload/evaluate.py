"""The evaluation job: how well the index answers questions whose papers are known.

`evaluation/questions.jsonl` holds one object a line, `{"question": text, "papers": [ids]}`. Three ways of ranking
papers are compared: BM25, vectors, and both fused.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from . import embeddings, job, logs, settings
from .artifacts import open_artifacts, to_json
from .chunks import Passage
from .embeddings import Vectors, embed
from .errors import InputError
from .ranking import BM25, fuse
from .store import connect

QUESTIONS = "evaluation/questions.jsonl"
RESULT = "evaluation/result.json"
TOP = 5

Orders = dict[str, list[str]]


@dataclass(frozen=True)
class Question:
    """A question and the ids of the papers that answer it."""

    text: str
    papers: frozenset[str]


def read_questions(data: bytes) -> list[Question]:
    """The questions in a JSON Lines file. Raises InputError naming the first line that is none."""
    questions = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            record = json.loads(line)
            question = Question(record["question"].strip(), frozenset(record["papers"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            question = Question("", frozenset())
        if not question.text or not question.papers:
            raise InputError(f'{QUESTIONS}, line {number}, must be {{"question": "…", "papers": ["an id", …]}}.')
        questions.append(question)
    if not questions:
        raise InputError(f"{QUESTIONS} is empty: write one question a line.")
    return questions


def evaluate(passages: Sequence[Passage], vectors: Vectors, questions: Sequence[Question]) -> dict[str, Any]:
    """Recall@5 and mean reciprocal rank of each way of ranking, and the rank of the first right paper per question.

    Row i of `vectors` belongs to passage i. Raises InputError when a question names a paper that is not there.
    """
    _refuse_unknown({passage.paper for passage in passages}, questions)
    every = list(zip(questions, rank(passages, vectors, [question.text for question in questions]), strict=True))
    return {
        "questions": len(questions),
        "methods": {
            method: {
                f"recall@{TOP}": round(fmean(recall(orders[method], question.papers) for question, orders in every), 4),
                "mrr": round(fmean(reciprocal_rank(orders[method], question.papers) for question, orders in every), 4),
            }
            for method in every[0][1]
        },
        "details": [
            {
                "question": question.text,
                "papers": sorted(question.papers),
                "ranks": {method: first_rank(order, question.papers) for method, order in orders.items()},
            }
            for question, orders in every
        ],
    }


def rank(passages: Sequence[Passage], vectors: Vectors, questions: list[str]) -> list[Orders]:
    """For each question the ids of papers, best first, by each method; a paper stands where its best passage does."""
    by_words = BM25([passage.searchable for passage in passages])
    # the order of a sum of products depends on the machine's BLAS; nearly equal scores must not
    nearness = np.round(embed(questions).astype(np.float64) @ vectors.astype(np.float64).T, 9)
    answers = []
    for question, near in zip(questions, nearness, strict=True):
        bm25 = _papers(passages, by_words.order(question))
        meaning = _papers(passages, np.argsort(-near, kind="stable").tolist())
        answers.append({"bm25": bm25, "vectors": meaning, "fused": [paper for paper, _ in fuse([bm25, meaning])]})
    return answers


def recall(order: Sequence[str], papers: frozenset[str], top: int = TOP) -> float:
    """The share of `papers` that is among the first `top` of `order`."""
    return len(papers.intersection(order[:top])) / len(papers)


def reciprocal_rank(order: Sequence[str], papers: frozenset[str]) -> float:
    """One divided by the rank of the first of `papers` in `order`; 0 when none is there."""
    rank = first_rank(order, papers)
    return 1 / rank if rank else 0.0


def first_rank(order: Sequence[str], papers: frozenset[str]) -> int | None:
    """At which place, from 1, the first of `papers` stands in `order`."""
    return next((place for place, paper in enumerate(order, start=1) if paper in papers), None)


def _papers(passages: Sequence[Passage], places: list[int]) -> list[str]:
    return list(dict.fromkeys(passages[place].paper for place in places))


def _refuse_unknown(papers: set[str], questions: Sequence[Question]) -> None:
    for number, question in enumerate(questions, start=1):
        for paper in sorted(question.papers - papers):
            raise InputError(f"{QUESTIONS}, line {number}, names the paper {paper!r}, which is not in the index.")


def main() -> None:
    database, artifacts = settings.database(os.environ), open_artifacts(settings.artifacts(os.environ))
    questions = read_questions(artifacts.read(QUESTIONS).data)
    with connect(database) as store:
        store.require_schema()
        passages, vectors = store.passages()
    result = {"model": embeddings.MODEL, "passages": len(passages)} | evaluate(passages, vectors, questions)
    artifacts.write(RESULT, to_json(result))
    logs.info("evaluated", questions=len(questions), methods=result["methods"])


if __name__ == "__main__":
    raise SystemExit(job.run(main))
