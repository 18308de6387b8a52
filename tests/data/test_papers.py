"""The papers and the questions about them: complete, well formed, and hard for a search by words alone."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "data"
RECORDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(DATA.glob("papers/*.json"))}
QUESTIONS = [json.loads(line) for line in (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()]

REQUIRED = {"id", "title", "authors", "year", "venue", "jel", "summary"}
MOST_SHARED_WORDS = 2
MOST_SHARED_SHARE = 0.35

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be been before between but by can could did do does doing done for from get give given "
        "had has have how i if in into is it its itself just may me might more most much my never no not of off on one "
        "only or other out over own same should so some such than that the their them then there these they this those "
        "through to too two under up was we were what when where whether which while who whose why will with without "
        "would you your",
    )
)


def stem(word: str) -> str:
    for ending in ("ies", "es", "s", "ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def content_words(text: str) -> set[str]:
    words = re.findall(r"[a-z]{2,}", text.lower())
    return {stem(word) for word in words if word not in STOP_WORDS}


def test_there_are_enough_papers_and_questions() -> None:
    assert len(RECORDS) >= 60
    assert len(QUESTIONS) >= 40


@pytest.mark.parametrize("paper", RECORDS.values(), ids=RECORDS.keys())
class TestPaper:
    def test_has_the_required_fields_and_no_unknown_ones(self, paper: dict[str, Any]) -> None:
        assert set(paper) - {"doi"} == REQUIRED

    def test_names_title_venue_and_authors(self, paper: dict[str, Any]) -> None:
        texts = [paper["title"], paper["venue"], *paper["authors"]]
        assert paper["authors"]
        assert all(isinstance(text, str) and text and text == text.strip() for text in texts)

    def test_year_is_a_number_that_the_id_ends_with(self, paper: dict[str, Any]) -> None:
        assert type(paper["year"]) is int
        assert 1900 <= paper["year"] <= 2026
        assert paper["id"].endswith(f"-{paper['year']}")

    def test_jel_codes_are_a_letter_and_two_digits(self, paper: dict[str, Any]) -> None:
        assert paper["jel"]
        assert [code for code in paper["jel"] if not re.fullmatch(r"[A-RYZ]\d{2}", code)] == []
        assert len(set(paper["jel"])) == len(paper["jel"])

    def test_doi_is_bare_and_well_formed(self, paper: dict[str, Any]) -> None:
        assert "doi" not in paper or re.fullmatch(r"10\.\d{4,9}/\S+", paper["doi"])

    def test_summary_has_120_to_200_words(self, paper: dict[str, Any]) -> None:
        assert 120 <= len(paper["summary"].split()) <= 200


def test_a_paper_s_id_is_its_file_name() -> None:
    assert [name for name, paper in RECORDS.items() if paper["id"] != name] == []


@pytest.mark.parametrize("field", ["title", "summary", "doi"])
def test_no_two_papers_share_a(field: str) -> None:
    values = Counter(paper[field].casefold() for paper in RECORDS.values() if field in paper)
    assert [value for value, count in values.items() if count > 1] == []


def test_questions_have_unique_ids_and_wordings() -> None:
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)
    assert len({question["question"].casefold() for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
class TestQuestion:
    def test_has_exactly_the_known_fields(self, question: dict[str, Any]) -> None:
        assert set(question) == {"id", "question", "papers"}
        assert re.fullmatch(r"q\d{2}", question["id"])
        assert question["question"].endswith("?")

    def test_names_one_to_three_papers_that_exist(self, question: dict[str, Any]) -> None:
        assert 1 <= len(set(question["papers"])) == len(question["papers"]) <= 3
        assert set(question["papers"]) <= set(RECORDS)

    def test_shares_few_words_with_the_papers_that_answer_it(self, question: dict[str, Any]) -> None:
        asked = content_words(question["question"])
        for paper in (RECORDS[name] for name in question["papers"]):
            shared = asked & content_words(f"{paper['title']} {paper['summary']}")
            assert len(shared) <= MOST_SHARED_WORDS, (paper["id"], shared)
            assert len(shared) <= MOST_SHARED_SHARE * len(asked), (paper["id"], shared)
