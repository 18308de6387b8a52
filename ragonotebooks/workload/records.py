"""Papers, and how they are read from the bytes of a corpus object: JSON records, PDFs, plain text and Markdown.

A record carries its own id; any other paper's id is its file name inside the corpus, so ids never depend on order.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .errors import InputError


@dataclass(frozen=True)
class Paper:
    """A paper to index. `text` is its summary or full text on one line; `jel` are its JEL classification codes."""

    id: str
    title: str
    text: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    jel: tuple[str, ...] = ()
    doi: str | None = None


def readable(name: str) -> bool:
    """Whether a corpus object of this name is of a kind that can be read."""
    return _suffix(name) in _READERS


def read(name: str, data: bytes) -> Paper:
    """The paper in a corpus object; `name` is its name inside the corpus. Raises InputError naming it."""
    paper = _READERS[_suffix(name)](name, data)
    if not paper.text:
        raise InputError(f"{name} holds no text: a scan needs OCR first, an empty file has no place in the corpus.")
    return paper


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _one_line(text: str) -> str:
    # Postgres stores neither NUL nor lone surrogates, and text out of PDFs holds both
    return " ".join(text.replace("\x00", " ").encode("utf-8", "replace").decode().split())


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name} is not UTF-8 text: convert it, or take it out of the corpus.") from None


def _read_record(name: str, data: bytes) -> Paper:
    try:
        record = json.loads(_decode(name, data))
    except ValueError as error:
        raise InputError(f"{name} is not JSON ({error}): correct it, or take it out of the corpus.") from None
    if not isinstance(record, dict):
        raise InputError(f"{name} holds a JSON {type(record).__name__}: a paper record is one object.")
    return Paper(
        id=_one_line(_field(name, record, "id", str)),
        title=_one_line(_field(name, record, "title", str)),
        text=_one_line(_field(name, record, "summary", str)),
        authors=_texts(name, record, "authors"),
        year=_field(name, record, "year", int),
        venue=_one_line(_field(name, record, "venue", str)),
        jel=_texts(name, record, "jel"),
        doi=_one_line(_field(name, record, "doi", str)) if record.get("doi") else None,
    )


def _field(name: str, record: dict[str, Any], field: str, kind: type) -> Any:
    value = record.get(field)
    if not isinstance(value, kind) or value == "":
        raise InputError(f"{name} is no paper record: its field {field!r} must be {kind.__name__}, not {value!r:.60}.")
    return value


def _texts(name: str, record: dict[str, Any], field: str) -> tuple[str, ...]:
    values = _field(name, record, field, list)
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"{name} is no paper record: its field {field!r} must be a list of strings.")
    return tuple(_one_line(value) for value in values)


def _read_pdf(name: str, data: bytes) -> Paper:
    import pypdf  # 0.2 s that a corpus without PDFs does not pay

    try:
        pdf = pypdf.PdfReader(io.BytesIO(data))
        text = "\n".join(page.extract_text() for page in pdf.pages)
        about = pdf.metadata
        title, author = (about.title, about.author) if about else (None, None)
    except Exception as error:  # a broken file raises anything, from KeyError to RecursionError
        reason = _one_line(str(error)).rstrip(".") or type(error).__name__
        raise InputError(
            f"{name} cannot be read as a PDF ({reason}): replace it, or take it out of the corpus."
        ) from error
    authors = (_one_line(author),) if author and author.strip() else ()
    return Paper(id=name, title=_one_line(title or "") or _stem(name), text=_one_line(text), authors=authors)


def _read_text(name: str, data: bytes) -> Paper:
    text = _decode(name, data)
    heading = next((line[2:] for line in text.splitlines() if line.startswith("# ")), "")
    return Paper(id=name, title=_one_line(heading) or _stem(name), text=_one_line(text))


def _stem(name: str) -> str:
    return _one_line(PurePosixPath(name).stem.replace("_", " ").replace("-", " "))


_READERS: dict[str, Callable[[str, bytes], Paper]] = {
    ".json": _read_record,
    ".md": _read_text,
    ".pdf": _read_pdf,
    ".txt": _read_text,
}
