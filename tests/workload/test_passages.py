"""How papers are cut: nothing lost, nothing without bound, sentences whole where possible."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ragonotebooks.workload import chunks
from ragonotebooks.workload.records import Paper

texts = st.text(alphabet=st.sampled_from("ab. ?\n\tß語"), max_size=3000) | st.text(max_size=500)


@given(texts)
def test_no_text_is_lost(text: str) -> None:
    covered = set[int]()
    for start, end in chunks.spans(text, size=9, overlap=2):
        covered.update(range(start, end))
    assert all(text[place].isspace() for place in set(range(len(text))) - covered)


@given(texts)
def test_no_passage_is_larger_than_asked(text: str) -> None:
    line = " ".join(text.split())
    assert all(end - start <= 9 * (chunks.LONGEST_WORD + 1) for start, end in chunks.spans(line, size=9, overlap=2))


@given(texts)
def test_passages_go_forward_and_overlap(text: str) -> None:
    found = list(chunks.spans(text, size=9, overlap=2))
    for (start, end), (next_start, next_end) in pairwise(found):
        assert start < next_start < end < next_end


def test_a_passage_ends_with_a_sentence_when_one_ends_near() -> None:
    text = "one two three four five six seven. eight nine ten eleven twelve"
    first, second = [text[start:end] for start, end in chunks.spans(text, size=9, overlap=2)]
    assert first == "one two three four five six seven."
    assert second.startswith("six seven. eight")


def test_a_short_text_is_one_passage() -> None:
    [passage] = chunks.passages(Paper("p", "Title", "A short text."))
    assert (passage.id, passage.text, passage.searchable) == ("p#0", "A short text.", "Title\nA short text.")


def test_the_same_paper_gives_the_same_passages() -> None:
    paper = Paper("p", "Title", "word " * 500)
    assert chunks.passages(paper) == chunks.passages(paper)
    assert [passage.id for passage in chunks.passages(paper)][:3] == ["p#0", "p#1", "p#2"]
