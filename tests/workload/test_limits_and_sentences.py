"""Token buckets, sentences and recall, without a server."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragonotebooks.workload.answer import extract, sentences
from ragonotebooks.workload.chunks import Passage
from ragonotebooks.workload.limits import Rates
from ragonotebooks.workload.provider import cited
from ragonotebooks.workload.store import Hit


class Clock:
    """A clock that a test turns."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_admitted_and_then_the_rate() -> None:
    clock = Clock()
    rates = Rates(rate=2, burst=3, clock=clock)
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 0.5
    assert [rates.wait("a") for _ in range(2)] == [0, 1]
    clock.now += 3600
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 1]


def test_one_client_does_not_use_up_what_another_may() -> None:
    rates = Rates(rate=1, burst=1, clock=Clock())
    assert [rates.wait("a"), rates.wait("a"), rates.wait("b")] == [0, 1, 0]


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_no_more_is_admitted_than_burst_and_rate_allow(pauses: list[float], rate: int, burst: int) -> None:
    clock = Clock()
    rates, admitted = Rates(rate, burst, clock), 0
    for pause in pauses:
        clock.now += pause
        admitted += rates.wait("a") == 0
    assert admitted <= burst + rate * sum(pauses) + 1e-6


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.integers(1, 5))
def test_who_waits_as_told_is_admitted(pauses: list[float], rate: int) -> None:
    clock = Clock()
    rates = Rates(rate, 1, clock)
    for pause in pauses:
        clock.now += pause
        if seconds := rates.wait("a"):
            clock.now += seconds
            assert rates.wait("a") == 0


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("A paper by R. H. Coase is cited. It is short.", ["A paper by R. H. Coase is cited.", "It is short."]),
        ("It rose by 2.5 per cent. 1990 was dull.", ["It rose by 2.5 per cent.", "1990 was dull."]),
        ("e.g. this one stays whole", ["e.g. this one stays whole"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_say(text: str, ends: list[str]) -> None:
    assert sentences(text) == ends


@given(st.text(alphabet='aB .?!"(1', max_size=200))
def test_no_sentence_is_lost_or_changed(text: str) -> None:
    found = sentences(text)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    places = [0]
    for sentence in found:
        places.append(text.index(sentence, places[-1]) + len(sentence))
    assert all(first < second for first, second in pairwise(places[1:]))


def hit(text: str, score: float) -> Hit:
    return Hit(Passage("p", 0, text, "Title", (), None, None), score)


def test_of_equally_near_sentences_the_better_passage_comes_first() -> None:
    said = "The central bank raises interest rates."
    worse, better = hit(said, 0.016), hit(said, 0.032)
    assert [sentence.citation for sentence in extract("When does a central bank raise rates?", [worse, better])] == [
        2,
        1,
    ]


def test_what_is_far_from_the_question_is_left_out() -> None:
    hits = [hit("The central bank raises interest rates. Sourdough needs a day to rise.", 0.03)]
    [only] = extract("When does a central bank raise rates?", hits)
    assert only.text == "The central bank raises interest rates."


def test_citations_that_belong_to_no_passage_are_left_out() -> None:
    hits = [hit("one", 0.1), hit("two", 0.1)]
    assert cited("As shown [2], and again [2], but not [0], [3] or [999].", hits) == [2]
