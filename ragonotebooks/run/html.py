"""HTML from nested calls, with everything escaped that is not markup already."""

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Text that is HTML; any other string is escaped when it gets into a tag."""

    __slots__ = ()


def each(parts: Iterable[str]) -> Markup:
    """The parts one behind the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def tag(name: str, *parts: str, **attributes: str | bool | None) -> Markup:
    """One element; `class_` stands for `class`, True for an attribute without value, None and False for none at all.

    Without a name it is the escaped parts alone.
    """
    if not name:
        return each(parts)
    written = "".join(_attribute(key.rstrip("_"), value) for key, value in attributes.items())
    return Markup(f"<{name}{written}>{each(parts)}</{name}>\n")


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    return f" {key}" if value is True else f' {key}="{escape(value)}"'
