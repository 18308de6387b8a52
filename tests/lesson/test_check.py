"""`check`: what is shown, what is kept, what is raised."""

import pytest

from ragonotebooks import CheckFailed, check
from ragonotebooks.catalog.evidence import CHECK_MIME
from tests.lesson.conftest import Shown

LONG = {("10.0.0.0/8", f"group-{number}", 443) for number in range(20)}
MANY = dict.fromkeys(LONG, 1)


def test_a_claim_that_holds_shows_one_line_and_keeps_a_record(shown: Shown) -> None:
    check("versioning is on", "Enabled", "Enabled")
    record = {"claim": "versioning is on", "passed": True, "expected": "'Enabled'", "actual": "'Enabled'"}
    assert shown() == {"text/plain": "✓ versioning is on", CHECK_MIME: record}


def test_a_claim_without_an_expected_value_must_be_true(shown: Shown) -> None:
    check("it is there", 1 == 1)
    with pytest.raises(CheckFailed):
        check("it is there", None)


def test_a_claim_that_does_not_hold_is_shown_before_it_raises(shown: Shown) -> None:
    with pytest.raises(CheckFailed) as raised:
        check("the port is closed", 80, None)
    assert str(raised.value) == "the port is closed: it is 80, it should be None"
    assert shown()["text/plain"] == "✗ the port is closed"
    assert shown()[CHECK_MIME]["passed"] is False


def test_long_values_are_cut(shown: Shown) -> None:
    check("it is long", "a" * 1000, "a" * 1000)
    actual = shown()[CHECK_MIME]["actual"]
    assert len(actual) < 200
    assert actual.endswith("…")


@pytest.mark.parametrize(
    ("actual", "expected", "said", "meant"),
    [
        (LONG | {("0.0.0.0/0", "database", 5432)}, LONG, "{…, ('0.0.0.0/0', 'database', 5432)}", "{…}"),
        (LONG, LONG | {("tasks", "queue", 6379)}, "{…}", "{…, ('tasks', 'queue', 6379)}"),
        (MANY | {"door": "open"}, MANY | {"door": "shut"}, "{…, 'door': 'open'}", "{…, 'door': 'shut'}"),
        ({3, 1, 2}, {2, 1}, "{1, 2, 3}", "{1, 2}"),
        (set(), {1}, "set()", "{1}"),
    ],
)
def test_the_difference_of_collections_is_never_cut_off(
    shown: Shown, actual: object, expected: object, said: str, meant: str
) -> None:
    with pytest.raises(CheckFailed):
        check("they are the same", actual, expected)
    assert (shown()[CHECK_MIME]["actual"], shown()[CHECK_MIME]["expected"]) == (said, meant)


def test_equal_mappings_in_another_order_are_kept_whole_as_far_as_they_fit(shown: Shown) -> None:
    pairs = [(f"key-{number}", number) for number in range(30)]
    check("they are the same", dict(pairs), dict(reversed(pairs)))
    assert shown()[CHECK_MIME]["actual"].startswith("{'key-0': 0, 'key-1': 1, ")
