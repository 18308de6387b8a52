"""Log delivery: every line becomes an event, in order, whatever a program writes."""

import os

import pytest

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws.logs import Event, LogDelivery


def delivered(*pieces: bytes) -> list[str]:
    """What arrives of a program that writes these pieces and ends."""
    events: list[Event] = []
    deliver(events.extend, *pieces)
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    return [event["message"] for event in events]


def deliver(put: object, *pieces: bytes) -> None:
    reading, writing = os.pipe()
    delivery = LogDelivery(os.fdopen(reading, "rb", buffering=0), put)  # type: ignore[arg-type]
    delivery.start()
    with os.fdopen(writing, "wb", buffering=0) as program:
        for piece in pieces:
            program.write(piece)
    delivery.join()


def test_each_line_is_an_event() -> None:
    assert delivered(b"one\ntwo\n") == ["one", "two"]


def test_a_line_may_come_in_pieces_and_without_an_end() -> None:
    assert delivered(b"on", b"e\ntw", b"o") == ["one", "two"]


def test_empty_lines_make_no_event() -> None:
    assert delivered(b"\n\none\n\n") == ["one"]


def test_a_very_long_line_is_cut_at_the_limit_of_an_event() -> None:
    assert [len(message) for message in delivered(b"x" * 600_000 + b"\ny\n")] == [262_118, 262_118, 75_764, 1]


def test_what_is_not_text_is_shown_as_such() -> None:
    assert delivered(b"\xff\xfe ok\n") == ["\ufffd\ufffd ok"]


def test_batches_keep_within_the_limits_of_a_call() -> None:
    batches: list[list[Event]] = []
    deliver(batches.append, *[b"x\n" * 30_000, b"y" * 100_000 + b"\n"] * 20)
    assert sum(map(len, batches)) == 20 * 30_001
    assert all(len(batch) <= 10_000 for batch in batches)
    assert all(sum(len(event["message"]) + 26 for event in batch) <= 1024 * 1024 for batch in batches)


def test_events_that_cannot_be_delivered_are_lost_and_the_program_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(events: list[Event]) -> None:
        raise RagonotebooksError("the role is gone")

    deliver(refuse, *[b"x" * 1000 + b"\n"] * 1000)
    assert "log events were lost: the role is gone" in capsys.readouterr().err
