"""Times of cron, and the same times as EventBridge says them."""

import pytest

from ragonotebooks.errors import UsageError
from ragonotebooks.schedule import cron


@pytest.mark.parametrize(
    ("text", "eventbridge"),
    [
        ("0 6 * * *", "cron(0 6 * * ? *)"),
        ("0 6 * * MON-FRI", "cron(0 6 ? * 2,3,4,5,6 *)"),
        ("0 6 * * 0", "cron(0 6 ? * 1 *)"),
        ("0 6 * * 5-7", "cron(0 6 ? * 1,6,7 *)"),
        ("0 6 * * 0-7", "cron(0 6 * * ? *)"),
        ("*/20 * * * *", "cron(0,20,40 * * * ? *)"),
        ("5/20 8-10 1,15 jan-mar *", "cron(5,25,45 8,9,10 1,15 1,2,3 ? *)"),
        ("  0  0 31 12 * ", "cron(0 0 31 12 ? *)"),
    ],
)
def test_a_time_is_the_same_time_on_eventbridge(text: str, eventbridge: str) -> None:
    assert cron.parse(text).eventbridge == eventbridge


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("@daily", "'@daily' is no time of cron; give five fields"),
        ("0 6 * *", "give five fields"),
        ("60 6 * * *", "'60' is no minute"),
        ("0 6-3 * * *", "'6-3' is no hour"),
        ("0 6 0 * *", "'0' is no day of the month"),
        ("0 6 * MAI *", "'MAI' is no month"),
        ("0 6 * * FR", "'FR' is no day of the week"),
        ("*/0 6 * * *", r"'\*/0' is no minute"),
        ("0 6 ? * *", r"'\?' is no day of the month"),
        ("0, 6 * * *", "'' is no minute"),
    ],
)
def test_what_is_no_time_is_refused_by_its_field(text: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        cron.parse(text)


def test_days_of_both_kinds_are_refused_for_eventbridge_alone() -> None:
    both = cron.parse("0 6 1 * MON")
    assert both.text == "0 6 1 * MON"
    with pytest.raises(UsageError, match="which EventBridge cannot; make two schedules"):
        _ = both.eventbridge
