"""Carries out Logs Insights queries over the events of log groups."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ragonotebooks.sandbox.aws.insights import Column, Command, Fields, Filter, Limit, Parse, Sort, Stats
from ragonotebooks.sandbox.aws.insights_expressions import Moment, Row, number

_LIMIT: Final = 10_000
_MILLISECONDS_FROM: Final = 10**11
_POINTER: Final = "@ptr"


@dataclass(frozen=True)
class Found:
    """What a query finds.

    Attributes:
        rows: Texts by the name of their column.
        statistics: How much was read.
    """

    rows: list[dict[str, str]]
    statistics: dict[str, float]


def run(commands: list[Command], groups: list[Any], start: int, end: int, limit: int | None = None) -> Found:
    """Run a query over moto's log groups, from `start` to `end` in seconds since 1970; `limit` counts when the query has none."""
    rows = list(_events(groups, _milliseconds(start), _milliseconds(end)))
    statistics = {"recordsScanned": len(rows), "bytesScanned": sum(len(row["@message"]) for row in rows)}
    state = _State(rows)
    for command in commands:
        state.apply(command)
    if not any(isinstance(command, Limit) for command in commands):
        state.apply(Limit(limit or _LIMIT))
    return Found(state.shown(), {**statistics, "recordsMatched": state.matched})


class _State:
    """Rows between two commands."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = sorted(rows, key=lambda row: -row["@timestamp"])
        self._columns: list[str] = []
        self._grouped = False
        self.matched = len(rows)

    def apply(self, command: Command) -> None:
        if isinstance(command, Fields):
            self._compute(command)
        elif isinstance(command, Filter):
            self._rows = [row for row in self._rows if command.condition(row)]
            self.matched = self.matched if self._grouped else len(self._rows)
        elif isinstance(command, Parse):
            for row in self._rows:
                _extract(command, row)
        elif isinstance(command, Stats):
            self._rows, self._grouped = _group(command, self._rows), True
            self._columns = [name for name, _ in (*command.by, *command.columns)]
        elif isinstance(command, Sort):
            for column, descending in reversed(command.keys):
                self._rows.sort(key=lambda row, column=column: _order(column, row), reverse=descending)  # type: ignore[misc]
        else:
            self._rows = self._rows[: command.count]

    def shown(self) -> list[dict[str, str]]:
        columns = self._columns or ["@timestamp", "@message"]
        if not self._grouped:
            columns = [*columns, _POINTER]
        return [{name: _text(row[name]) for name in columns if row.get(name) is not None} for row in self._rows]

    def _compute(self, command: Fields) -> None:
        for row in self._rows:
            row.update({name: value(row) for name, value in command.columns})
        names = [name for name, _ in command.columns]
        self._columns = names if command.alone else [*self._columns, *names]


def _events(groups: list[Any], start: int, end: int) -> Iterator[dict[str, Any]]:
    for group in groups:
        for stream in group.streams.values():
            for event in stream.events:
                if start <= event.timestamp <= end:
                    yield {
                        **_discovered(event.message),
                        "@timestamp": Moment(event.timestamp),
                        "@ingestionTime": Moment(event.ingestion_time),
                        "@message": event.message,
                        "@logStream": stream.log_stream_name,
                        "@log": f"{group.account_id}:{group.name}",
                        _POINTER: f"{group.name}/{event.event_id}",
                    }


def _discovered(message: str) -> dict[str, Any]:
    """The fields of an event that is JSON, those of inner objects by their path: `request.id`, `papers.0`."""
    if not message.lstrip().startswith("{"):
        return {}
    try:
        return dict(_flat("", json.loads(message)))
    except ValueError:
        return {}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, one in inner:
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), one)
    else:
        yield prefix, value


def _extract(command: Parse, row: dict[str, Any]) -> None:
    found = command.pattern.search(str(row[command.field])) if row.get(command.field) is not None else None
    if found:
        values = found.groupdict() or dict(zip(command.names, found.groups(), strict=True))
        row.update(values)


def _group(command: Stats, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[Row]] = {} if command.by else {(): []}
    for row in rows:
        groups.setdefault(tuple(value(row) for _, value in command.by), []).append(row)
    names = [name for name, _ in command.by]
    return [
        {**dict(zip(names, key, strict=True)), **{name: value(members) for name, value in command.columns}}
        for key, members in groups.items()
    ]


def _order(column: Column, row: Row) -> tuple[int, float, str]:
    """What is missing comes before numbers, numbers before texts."""
    name, compute = column
    value = row[name] if name in row else compute(row)
    if value is None:
        return 0, 0.0, ""
    as_number = number(value)
    return (1, float(as_number), "") if as_number is not None else (2, 0.0, str(value))


def _text(value: Any) -> str:
    if isinstance(value, Moment):
        at = datetime.fromtimestamp(value / 1000, UTC)
        return f"{at:%Y-%m-%d %H:%M:%S}.{value % 1000:03d}"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return str(value)


def _milliseconds(time: int) -> int:
    """The API takes seconds, and milliseconds as well."""
    return time if time >= _MILLISECONDS_FROM else time * 1000
