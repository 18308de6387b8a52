"""The Logs Insights query language: `fields`, `display`, `filter`, `parse`, `stats`, `sort` and `limit`.

Everything else is refused by name. Source: Amazon CloudWatch Logs user guide, "Logs Insights query syntax", read 2026-11.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ragonotebooks.sandbox.aws.insights_expressions import Expression, Reader
from ragonotebooks.sandbox.aws.insights_words import QueryError, Words

__all__ = ["Command", "Fields", "Filter", "Limit", "Parse", "QueryError", "Sort", "Stats", "parse"]

Column = tuple[str, Expression]


@dataclass(frozen=True)
class Fields:
    """Shows columns: `display` those alone, `fields` those beside the ones before."""

    columns: list[Column]
    alone: bool


@dataclass(frozen=True)
class Filter:
    """Keeps the rows for which a condition is true."""

    condition: Expression


@dataclass(frozen=True)
class Parse:
    """Makes fields of the groups that a pattern finds in another field."""

    field: str
    pattern: re.Pattern[str]
    names: list[str]


@dataclass(frozen=True)
class Stats:
    """Makes one row of each group of rows."""

    columns: list[Column]
    by: list[Column]


@dataclass(frozen=True)
class Sort:
    """Orders rows by columns, each with whether the greatest comes first."""

    keys: list[tuple[Column, bool]]


@dataclass(frozen=True)
class Limit:
    """Keeps the first rows."""

    count: int


Command = Fields | Filter | Parse | Stats | Sort | Limit


def parse(text: str) -> list[Command]:
    """Read a query.

    Raises:
        QueryError: It is malformed, or uses what is not supported.
    """
    words = Words(text.strip().strip("|"))
    commands = [_command(words)]
    while words.take("|"):
        commands.append(_command(words))
    if not words.at_end:
        raise words.error("unexpected")
    return commands


def _command(words: Words) -> Command:
    name = words.name()
    if name.lower() not in _READERS:
        raise QueryError(f"the command {name} is not supported by the sandbox; it has {', '.join(_READERS)}")
    return _READERS[name.lower()](words)


def _fields(words: Words) -> Command:
    return Fields(_columns(words, Reader(words)), alone=False)


def _display(words: Words) -> Command:
    return Fields(_columns(words, Reader(words)), alone=True)


def _filter(words: Words) -> Command:
    return Filter(Reader(words).expression())


def _parse(words: Words) -> Command:
    field = words.kind("name") or "@message"
    if pattern := words.regex():
        if not pattern.groupindex:
            raise QueryError("a regular expression of parse has groups with names: (?<name>…)")
        return Parse(field, pattern, list(pattern.groupindex))
    glob = words.kind("text")
    if glob is None:
        raise words.error('expected /a regular expression/ or "a text with *"')
    words.need("as")
    names = [words.name()]
    while words.take(","):
        names.append(words.name())
    if glob.count("*") != len(names):
        raise QueryError(f"parse has {glob.count('*')} * and {len(names)} names")
    parts = [re.escape(part) for part in glob.split("*")]
    # the last * takes all when nothing follows it
    pattern = re.compile("(.*?)".join(parts) + ("$" if glob.endswith("*") else ""), re.DOTALL)
    return Parse(field, pattern, names)


def _stats(words: Words) -> Command:
    columns = _columns(words, Reader(words, aggregates=True))
    by = _columns(words, Reader(words)) if words.take("by") else []
    return Stats(columns, by)


def _sort(words: Words) -> Command:
    keys: list[tuple[Column, bool]] = []
    while not keys or words.take(","):
        mark = words.mark()
        # a key may be a column of stats: count(*)
        expression = Reader(words).expression() if not _is_aggregate(words) else _skip(words)
        column = (words.since(mark), expression)
        keys.append((column, words.take("asc", "desc") == "desc"))
    return Sort(keys)


def _is_aggregate(words: Words) -> bool:
    return words.peek("count", "count_distinct", "sum", "avg", "min", "max", "pct")


def _skip(words: Words) -> Expression:
    Reader(words, aggregates=True).expression()
    return lambda row: None


def _limit(words: Words) -> Command:
    count = words.kind("number")
    if count is None or not count.isdigit():
        raise words.error("expected a whole number")
    return Limit(int(count))


def _columns(words: Words, reader: Reader) -> list[Column]:
    """Read expressions; each is called as it says after `as`, else as it is written."""
    columns: list[Column] = []
    while not columns or words.take(","):
        mark = words.mark()
        expression = reader.expression()
        written = words.since(mark)
        columns.append((words.name() if words.take("as") else written, expression))
    return columns


_READERS: dict[str, Callable[[Words], Command]] = {
    "fields": _fields,
    "display": _display,
    "filter": _filter,
    "parse": _parse,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
}
