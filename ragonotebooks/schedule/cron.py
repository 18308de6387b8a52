"""When something runs: the five fields of cron, and the six of EventBridge, which counts and combines days differently."""

import re
from dataclasses import dataclass

from ragonotebooks.errors import UsageError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    greatest: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),  # 7 is Sunday too
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A time of day and the days on which it comes.

    text: the five fields as they were given.
    values: for each field the numbers that it means, Sunday as 0; None for all.
    """

    text: str
    values: tuple[tuple[int, ...] | None, ...]

    @property
    def eventbridge(self) -> str:
        """The same as EventBridge says it, in six fields: days of the week are 1 to 7, and one kind of day is `?`.

        Raises:
            UsageError: Days of the month and of the week are given, which cron takes for either and EventBridge not at all.
        """
        minute, hour, day, month, weekday = self.values
        if day and weekday:
            raise UsageError(
                f"'{self.text}' names days of the month and of the week, which EventBridge cannot; make two schedules"
            )
        weekdays = tuple(number + 1 for number in weekday) if weekday else None
        days = "?" if weekdays else _said(day)
        return f"cron({_said(minute)} {_said(hour)} {days} {_said(month)} {_said(weekdays) if weekdays else '?'} *)"


def parse(text: str) -> Cron:
    """The five fields of cron: `*`, numbers, names of months and days, ranges, steps, lists; a UsageError names what is wrong."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        raise UsageError(f"'{text}' is no time of cron; give five fields, {names}, such as '0 6 * * MON-FRI'")
    return Cron(" ".join(fields), tuple(_values(field, said) for field, said in zip(_FIELDS, fields, strict=True)))


def _values(field: _Field, said: str) -> tuple[int, ...] | None:
    found = {number for part in said.split(",") for number in _numbers(field, part)}
    if field.names == _DAYS:
        found = {number % 7 for number in found}
    everything = field.greatest + (field.names != _DAYS) - field.least
    return None if len(found) == everything else tuple(sorted(found))


def _numbers(field: _Field, part: str) -> range:
    match = _PART.fullmatch(part)
    step = int(match[3] or 1) if match else 0
    if not match or not step:
        raise _wrong(field, part)
    if match[1] is None:
        return range(field.least, field.greatest + (field.names != _DAYS), step)
    first = _number(field, match[1], part)
    last = _number(field, match[2], part) if match[2] else (field.greatest if match[3] else first)
    if last < first:
        raise _wrong(field, part)
    return range(first, last + 1, step)


def _number(field: _Field, said: str, part: str) -> int:
    if said.upper() in field.names:
        return field.names.index(said.upper()) + field.least
    if not said.isdecimal() or not field.least <= int(said) <= field.greatest:
        raise _wrong(field, part)
    return int(said)


def _wrong(field: _Field, part: str) -> UsageError:
    least, greatest = field.least, field.greatest
    return UsageError(
        f"'{part}' is no {field.name} of cron; use * or {least} to {greatest}, ranges, steps and lists of them"
    )


def _said(values: tuple[int, ...] | None) -> str:
    return ",".join(map(str, values)) if values else "*"
