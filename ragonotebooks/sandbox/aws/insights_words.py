"""Reads the words of a Logs Insights query one by one."""

import re
from typing import Final

_BLANK: Final = re.compile(r"(?:\s+|#[^\n]*)*")
_WORD: Final = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<duration>\d+(?:ms|s|m|h|d|w)\b)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>`[^`]+`|@?[A-Za-z_][\w.]*)
    |(?P<sign>=~|!=|<=|>=|[=<>()\[\],|+\-*/%])""",
    re.VERBOSE,
)
_NAMED_GROUP: Final = re.compile(r"\(\?<(?![=!])")
_REGEX: Final = re.compile(r"/((?:[^/\\]|\\.)+)/")


class QueryError(ValueError):
    """A query is malformed, or of a kind that is not supported; the text says why."""


class Words:
    """A query and the position that it was read to.

    Args:
        text: The query.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = self._after_blank(0)

    @property
    def at_end(self) -> bool:
        """Whether all was read."""
        return self._position == len(self._text)

    def mark(self) -> int:
        """Return the position, to cut the text from it with `since`."""
        return self._position

    def since(self, mark: int) -> str:
        """Return what was read since a position, as it was written."""
        return self._text[mark : self._position].strip()

    def peek(self, *wanted: str) -> bool:
        """Whether the next word is one of `wanted`, in any case."""
        word = self._match()
        return word is not None and word[0].lower() in wanted

    def take(self, *wanted: str) -> str:
        """Read the next word when it is one of `wanted`, in any case, and return it in lower case; else an empty text."""
        word = self._match()
        if word is None or word[0].lower() not in wanted:
            return ""
        self._position = self._after_blank(word.end())
        return word[0].lower()

    def need(self, *wanted: str) -> str:
        """Read the next word, which must be one of `wanted`."""
        if not (found := self.take(*wanted)):
            raise self.error(f"expected {' or '.join(wanted)}")
        return found

    def kind(self, *kinds: str) -> str | None:
        """Read the next word when it is a `text`, `duration`, `number`, `name` or `sign`; a text without its quotes."""
        word = self._match()
        if word is None or word.lastgroup not in kinds:
            return None
        self._position = self._after_blank(word.end())
        if word.lastgroup == "text":
            return re.sub(r"\\(.)", r"\1", word[0][1:-1])
        return word[0].strip("`")

    def name(self) -> str:
        """Read the name of a field, which must come."""
        if (found := self.kind("name")) is None:
            raise self.error("expected the name of a field")
        return found

    def regex(self) -> re.Pattern[str] | None:
        """Read a regular expression when one comes, `/…/`."""
        found = _REGEX.match(self._text, self._position)
        if found is None:
            return None
        try:
            pattern = re.compile(_NAMED_GROUP.sub("(?P<", found[1].replace("\\/", "/")))
        except re.error as error:
            raise self.error(f"the regular expression is malformed ({error})") from None
        self._position = self._after_blank(found.end())
        return pattern

    def error(self, problem: str) -> QueryError:
        """Return an error that shows where in the query it is."""
        rest = self._text[self._position :].partition("\n")[0][:60]
        return QueryError(f"{problem} at: {rest or 'the end of the query'}")

    def _match(self) -> re.Match[str] | None:
        return _WORD.match(self._text, self._position)

    def _after_blank(self, position: int) -> int:
        blank = _BLANK.match(self._text, position)
        return blank.end() if blank else position
