"""`show_table` and `show_price`: for people as text and HTML, for reports as data."""

import pytest

from ragonotebooks import show_price, show_table
from ragonotebooks.catalog.evidence import PRICE_MIME
from ragonotebooks.errors import UsageError
from tests.lesson.conftest import Shown

STORAGE = ("S3", "Standard storage, first 50 TB")


def test_a_table_has_a_heading_and_no_index(shown: Shown) -> None:
    show_table([{"door": "s3", "state": "available"}, {"door": "logs", "state": "pending"}])
    lines = [line.split() for line in shown()["text/plain"].splitlines()]
    assert lines == [["door", "state"], ["s3", "available"], ["logs", "pending"]]
    assert ">door</th>" in shown()["text/html"]


def test_a_table_shows_the_columns_that_are_asked_for_in_that_order(shown: Shown) -> None:
    show_table(({"a": number, "b": 2, "c": 3} for number in range(1)), "c", "a")
    assert [line.split() for line in shown()["text/plain"].splitlines()] == [["c", "a"], ["3", "0"]]


def test_an_empty_table_is_no_error(shown: Shown) -> None:
    show_table([], "door", "state")
    assert "door" in shown()["text/plain"]


def test_a_price_is_shown_for_people_and_kept_as_data(shown: Shown) -> None:
    show_price("aws", {STORAGE: 100, ("Fargate", "Linux/x86 vCPU"): 10})
    record = shown()[PRICE_MIME]
    first, second = record["lines"]
    assert (first["service"], first["item"], first["unit"], first["quantity"]) == (*STORAGE, "GB-month", 100)
    assert first["month"] == round(first["usd"] * 100, 2)
    assert record["month"] == round(first["month"] + second["month"], 2)
    assert "a month" in shown()["text/plain"]
    assert "Linux/x86 vCPU" in shown()["text/html"]


@pytest.mark.parametrize(
    ("service", "item", "nearest"),
    [("S4", STORAGE[1], "did you mean 'S3'"), ("S3", "Standard storage, first 50 GB", f"did you mean '{STORAGE[1]}'")],
)
def test_an_unknown_price_names_the_nearest(service: str, item: str, nearest: str) -> None:
    with pytest.raises(UsageError, match="there is no price for") as raised:
        show_price("aws", {(service, item): 1})
    assert nearest in str(raised.value)
