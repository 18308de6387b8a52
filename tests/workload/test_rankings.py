"""Ranking, fusing, and the two measures: figures worked out by hand."""

import math

import pytest

from ragonotebooks.workload.chunks import Passage
from ragonotebooks.workload.embeddings import embed
from ragonotebooks.workload.errors import InputError
from ragonotebooks.workload.evaluate import Question, evaluate, first_rank, read_questions, recall, reciprocal_rank
from ragonotebooks.workload.ranking import BM25, fuse


def test_fused_scores_are_sums_of_reciprocal_ranks() -> None:
    assert fuse([["a", "b", "c"], ["b", "d"]]) == [
        ("b", pytest.approx(1 / 62 + 1 / 61)),
        ("a", pytest.approx(1 / 61)),
        ("d", pytest.approx(1 / 62)),
        ("c", pytest.approx(1 / 63)),
    ]


def test_an_item_second_in_both_orders_beats_one_first_in_one_and_absent_in_the_other() -> None:
    assert fuse([["a", "b"], ["c", "b"]])[0][0] == "b"


def test_of_equal_scores_the_first_seen_stays_first() -> None:
    assert [item for item, _ in fuse([["x"], ["a"]])] == ["x", "a"]


def test_bm25_agrees_with_the_formula() -> None:
    texts = ["tax cut", "tax tax reform law", "wage"]
    bm25 = BM25(texts)
    rarity = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    twice = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 4 / (7 / 3)))
    assert bm25._score({"tax", "absent"}, 1) == pytest.approx(twice)


def test_bm25_leaves_out_texts_without_any_asked_word() -> None:
    assert BM25(["wage", "a reform", "tax cut reform"]).order("Tax REFORM") == [2, 1]
    assert BM25(["tax cut"]).order("wage") == []
    assert BM25([]).order("wage") == []


def test_bm25_prefers_the_rarer_word() -> None:
    assert BM25(["tax one", "tax two", "tariff tax", "tax three"]).order("tariff tax")[0] == 2


@pytest.mark.parametrize(
    ("order", "share", "reciprocal", "rank"),
    [
        (["a", "x", "b"], 1.0, 1.0, 1),
        (["x", "b", "y", "z", "w", "a"], 0.5, 0.5, 2),
        (["x"], 0.0, 0.0, None),
        ([], 0.0, 0.0, None),
    ],
)
def test_measures(order: list[str], share: float, reciprocal: float, rank: int | None) -> None:
    papers = frozenset({"a", "b"})
    assert (recall(order, papers), reciprocal_rank(order, papers), first_rank(order, papers)) == (
        share,
        reciprocal,
        rank,
    )


def passage(paper: str, text: str, position: int = 0) -> Passage:
    return Passage(paper, position, text, "Title", (), None, None)


PASSAGES = [
    passage("cars", "Sellers of used vehicles know their quality."),
    passage("bank", "Inflation and the central bank."),
    passage("bank", "Unemployment returns to its natural rate.", 1),
]


def test_evaluation_ranks_papers_and_averages_over_questions() -> None:
    questions = [
        Question("central bank inflation", frozenset({"bank"})),
        Question("zebra", frozenset({"cars"})),
    ]
    result = evaluate(PASSAGES, embed([passage.searchable for passage in PASSAGES]), questions)
    assert result["questions"] == 2
    assert result["methods"]["bm25"] == {"recall@5": 0.5, "mrr": 0.5}
    assert result["methods"]["vectors"]["recall@5"] == 1.0
    assert result["details"][0]["ranks"] == {"bm25": 1, "vectors": 1, "fused": 1}
    assert result["details"][1]["ranks"]["bm25"] is None


def test_a_question_about_an_unknown_paper_is_refused_by_name() -> None:
    questions = [Question("what?", frozenset({"nowhere-1999"}))]
    with pytest.raises(InputError, match="line 1, names the paper 'nowhere-1999', which is not in the index"):
        evaluate(PASSAGES, embed([passage.searchable for passage in PASSAGES]), questions)


def test_questions_are_read_one_a_line() -> None:
    data = b'{"question": "Why?", "papers": ["a", "b"]}\n{"id": "q2", "question": "How?", "papers": ["c"]}\n'
    assert read_questions(data) == [Question("Why?", frozenset({"a", "b"})), Question("How?", frozenset({"c"}))]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"question": "Why?"}',
        b'{"question": " ", "papers": ["a"]}',
        b'{"question": "A", "papers": []}',
        b"",
    ],
)
def test_a_line_that_is_no_question_is_named(line: bytes) -> None:
    with pytest.raises(InputError, match="line 2, must be"):
        read_questions(b'{"question": "Why?", "papers": ["a"]}\n' + line + b"\n")


def test_an_empty_list_of_questions_is_refused() -> None:
    with pytest.raises(InputError, match="is empty"):
        read_questions(b"")


def test_vectors_have_length_one_and_do_not_depend_on_their_neighbours() -> None:
    texts = ["short", "a much longer text about the labour market " * 20, "prices"]
    together = embed(texts)
    assert [embed([text])[0].tobytes() for text in texts] == [row.tobytes() for row in together]
    assert (together.astype("float64") ** 2).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
