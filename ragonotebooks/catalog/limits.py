"""How long a step may take and how often it is tried, as its line **Limits:** declares it."""

import re
from dataclasses import dataclass

from ragonotebooks.catalog.notebook import Cell, Section
from ragonotebooks.errors import UsageError

_LINE = re.compile(r"^\*\*Limits:\*\*(.*)$", re.MULTILINE)
_TIME = re.compile(r"(\d+(?:\.\d+)?) (seconds|minutes)")
_ATTEMPTS = re.compile(r"([2-9]) attempts")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a step is given.

    seconds: for all its cells together, in each attempt; None when it declares none.
    attempts: how often it is tried before it has failed.
    """

    seconds: float | None = None
    attempts: int = 1


def of(section: Section) -> Limits:
    """The limits that a section declares with `**Limits:** 10 minutes · 3 attempts`, or with one of the two.

    Raises:
        UsageError: The line says something else, or the section is not safe to repeat: it has a change cell and does
            not begin with a look cell, so a second attempt would trust what was seen before the first.
    """
    lines = _LINE.findall(section.text)
    if not lines:
        return Limits()
    limits = _parse(section.title, lines)
    if limits.attempts > 1 and not _looks_first(section.code):
        raise UsageError(
            f"'{section.title}' declares {limits.attempts} attempts but changes something before it looks; "
            "begin it with a look cell, or declare no attempts"
        )
    return limits


def _parse(title: str, lines: list[str]) -> Limits:
    seconds, attempts = None, 1
    for part in " · ".join(line.strip() for line in lines).split(" · "):
        if (time := _TIME.fullmatch(part)) and seconds is None and float(time[1]) > 0:
            seconds = float(time[1]) * (60 if time[2] == "minutes" else 1)
        elif (count := _ATTEMPTS.fullmatch(part)) and attempts == 1:
            attempts = int(count[1])
        else:
            raise UsageError(
                f"the limit '{part}' of '{title}' is not understood; "
                "write '**Limits:** 10 minutes · 3 attempts', seconds or minutes, 2 to 9 attempts"
            )
    return Limits(seconds, attempts)


def _looks_first(cells: tuple[Cell, ...]) -> bool:
    return all(cell.does != "change" for cell in cells) or cells[0].does == "look"
