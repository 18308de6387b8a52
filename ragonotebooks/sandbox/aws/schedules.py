"""When EventBridge's schedules fire: `rate(5 minutes)` and `cron(0 10 * * ? *)`, in UTC. Pure functions of an expression and times.

Source: Amazon EventBridge user guide, "Setting a schedule pattern for scheduled rules (legacy)", read 2026-11.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
_CRON: Final = re.compile(r"cron\((.+)\)")
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS: Final = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_ITEM: Final = re.compile(r"(\*|[A-Z\d]+)(?:-([A-Z\d]+))?(?:/(\d+))?")


@dataclass(frozen=True)
class Rate:
    """Fires every so many seconds, first after that time."""

    seconds: int

    def is_due(self, last: float, now: float) -> bool:
        """Whether it fires now, after it fired or was made at `last`; both in seconds since 1970."""
        return now - last >= self.seconds


@dataclass(frozen=True)
class Cron:
    """Fires at the minutes that all fields allow.

    Attributes:
        minutes: Also `hours`, `months` and `years`: the numbers that are allowed.
        day: Whether a date is allowed, by the day of its month or week.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    day: Callable[[datetime], bool]

    def is_due(self, last: float, now: float) -> bool:
        """Whether a minute that it allows has begun since `last`, at most a minute ago."""
        minute = now // 60 * 60
        return last < minute and self.allows(datetime.fromtimestamp(minute, UTC))

    def allows(self, time: datetime) -> bool:
        """Whether it fires in the minute of a time."""
        return (
            time.minute in self.minutes
            and time.hour in self.hours
            and time.month in self.months
            and time.year in self.years
            and self.day(time)
        )


Schedule = Rate | Cron


def parse(expression: str) -> Schedule:
    """Read a schedule.

    Raises:
        ValueError: It is malformed, or of a kind that is not supported (`W`, which is the next working day).
    """
    if rate := _RATE.fullmatch(expression):
        count, unit = int(rate[1]), rate[2]
        if count < 1 or (count == 1) != (rate[3] == ""):
            raise ValueError(f"{expression}: one {unit} is written rate(1 {unit}), several rate(2 {unit}s)")
        return Rate(count * _SECONDS[unit])
    cron = _CRON.fullmatch(expression)
    fields = cron[1].split() if cron else []
    if len(fields) != 6:
        raise ValueError(f"{expression} is neither rate(…) nor cron(minutes hours day-of-month month day-of-week year)")
    minutes, hours, date, months, weekday, years = fields
    if (date == "?") == (weekday == "?"):
        raise ValueError(f"{expression}: exactly one of day-of-month and day-of-week is ?")
    return Cron(
        _numbers(minutes, 0, 59),
        _numbers(hours, 0, 23),
        _numbers(months, 1, 12, _MONTHS),
        _numbers(years, 1970, 2199),
        _date(date) if weekday == "?" else _weekday(weekday),
    )


def _numbers(field: str, low: int, high: int, names: list[str] | None = None) -> frozenset[int]:
    """Return what a field such as `*`, `1-5`, `0/15` or `MON,WED` allows."""
    allowed: set[int] = set()
    for item in field.upper().split(","):
        found = _ITEM.fullmatch(item)
        if found is None:
            raise ValueError(f"the field {field} is not supported")
        start, end, step = found.groups()
        first = low if start == "*" else _number(start, low, names)
        last = _number(end, low, names) if end else high if start == "*" or step else first
        if not low <= first <= last <= high or step == "0":
            raise ValueError(f"the field {field} must be within {low} and {high}")
        allowed |= set(range(first, last + 1, int(step or 1)))
    return frozenset(allowed)


def _number(text: str, low: int, names: list[str] | None) -> int:
    if names and text in names:
        return low + names.index(text)
    if not text.isdigit():
        raise ValueError(f"{text} is no value of this field")
    return int(text)


def _date(field: str) -> Callable[[datetime], bool]:
    if field.upper() == "L":
        return lambda time: time.day == monthrange(time.year, time.month)[1]
    days = _numbers(field, 1, 31)
    return lambda time: time.day in days


def _weekday(field: str) -> Callable[[datetime], bool]:
    """Days of the week are 1 (Sunday) to 7; `2#1` is the first Monday of a month, `2L` the last."""
    if found := re.fullmatch(r"([A-Z\d]+)#([1-5])", field.upper()):
        day, week = _only(found[1]), int(found[2])
        return lambda time: _day(time) == day and (time.day - 1) // 7 + 1 == week
    if found := re.fullmatch(r"([A-Z\d]+)L", field.upper()):
        day = _only(found[1])
        return lambda time: _day(time) == day and (time + timedelta(days=7)).month != time.month
    days = _numbers(field, 1, 7, _DAYS)
    return lambda time: _day(time) in days


def _only(text: str) -> int:
    (day,) = _numbers(text, 1, 7, _DAYS)
    return day


def _day(time: datetime) -> int:
    return time.isoweekday() % 7 + 1
