"""Takes the secrets that a run knows out of whatever it saves.

A run learns them from its kernels (`ragonotebooks.run.confiding`) before a cell has them, and cleans every message of a kernel
before it becomes an output. So the notebook that is saved in between, the events, the log and the report hold none. What
was shown first and found to be secret later is cleaned at the next save.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from ragonotebooks.run import folder
from ragonotebooks.run.spellings import parts, spellings

MARK = "[redacted]"

_LEAST_CUT = 16
"""Characters from which on a secret is known by its first half: what shows it may have cut it off."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Redactor:
    """The secrets that are known so far. Kernels may teach it while it cleans."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._learnt: set[bytes] = set()
        self._wholes: dict[str, str] = {}  # what to look for → the spelling that it begins
        self._by_first: dict[str, list[str]] = defaultdict(list)
        self._longest = 0

    def learn(self, value: bytes) -> None:
        """Know a secret from now on, with the secrets in it; what has less than 8 bytes is not taken."""
        with self._lock:
            for part in parts(value):
                if part not in self._learnt:
                    self._learnt.add(part)
                    self._add(part)

    def text(self, text: str) -> str:
        """The text without secrets, and without its colours where one of them lies across a secret."""
        wholes = self._wholes
        if not any(begin in text for begin in wholes):
            bare = _COLOURS.sub("", text) if "\x1b" in text else text
            if bare == text or not any(begin in bare for begin in wholes):
                return text
            text = bare
        pieces, last = list[str](), 0
        for start, end in _merged(sorted(_spans(text, wholes))):
            pieces += [text[last:start], MARK]
            last = end
        return "".join([*pieces, text[last:]])

    def clean(self, data: Any) -> Any:
        """The same data without secrets: in text, names, numbers, bytes, in what JSON is made of and in dataclasses."""
        match data:
            case str():
                return self.text(data)
            case bytes() | memoryview():
                said = bytes(data).decode("utf-8", "surrogateescape")
                return self.text(said).encode("utf-8", "surrogateescape")
            case dict():
                return type(data)({self.clean(name): self.clean(one) for name, one in data.items()})
            case list() | tuple():
                return type(data)(self.clean(one) for one in data)
            case int() | float() if not isinstance(data, bool):
                said = self.text(str(data))
                return data if said == str(data) else said
            case _ if is_dataclass(data) and not isinstance(data, type):
                return replace(data, **{one.name: self.clean(getattr(data, one.name)) for one in fields(data)})
        return data

    def clean_notebook(self, node: Any) -> None:
        """Take the secrets out of a notebook, in place."""
        for owner in (node.metadata, *node.cells):
            for name in list(owner):
                owner[name] = self.clean(owner[name])

    def begins_at(self, text: str) -> int:
        """Where at the end of the text a secret may have begun whose rest is yet to come; the text's length if none has."""
        place = next(
            (start for start in range(max(0, len(text) - self._longest), len(text)) if self._begins(text, start)),
            len(text),
        )
        # what is a secret already may be the beginning of another one, and stays together
        return next((start for start, end in _merged(sorted(_spans(text, self._wholes))) if start < place < end), place)

    def _begins(self, text: str, start: int) -> bool:
        wholes = self._by_first.get(text[start], ())
        return any(len(text) - start < len(one) and one.startswith(text[start:]) for one in wholes)

    def sweep(self, where: Path) -> None:
        """Take the secrets out of the files of a folder: what is known now was not when the first of them was written."""
        for path in sorted(where.iterdir()):
            if path.is_file() and (text := path.read_text(encoding="utf-8", errors="surrogateescape")) != self.text(
                text
            ):
                folder.write(path, self._file(path, text))

    def _file(self, path: Path, text: str) -> str:
        match path.suffix:
            case ".ipynb":
                return json.dumps(self.clean(json.loads(text)), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
            case ".jsonl":
                lines = (json.dumps(self.clean(json.loads(line)), ensure_ascii=False) for line in text.splitlines())
                return "".join(f"{line}\n" for line in lines)
        return self.text(text)

    def _add(self, part: bytes) -> None:
        wholes = dict(self._wholes)
        for spelling in spellings(part):
            wholes[spelling] = spelling
            self._by_first[spelling[0]].append(spelling)
            self._longest = max(self._longest, len(spelling))
        plain = part.decode(errors="replace")
        if len(plain) >= _LEAST_CUT and "\n" not in plain and not plain.startswith(("{", "[")):
            wholes[plain[: len(plain) // 2]] = plain
        self._wholes = wholes  # at once: another thread may be looking


class Messages:
    """The messages of a kernel, cleaned. The end of a stream's text that may begin a secret waits for what follows it."""

    def __init__(self, secrets: Redactor) -> None:
        self._secrets = secrets
        self._held: dict[str, dict[str, Any]] = {}

    def clean(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """What to go on with in place of the message."""
        if message["msg_type"] != "stream":
            return [*self.flush(), message | {field: self._secrets.clean(message[field]) for field in _said(message)}]
        content = message["content"]
        held = self._held.pop(content["name"], None)
        text = (held["content"]["text"] if held else "") + content["text"]
        place = self._secrets.begins_at(text)
        if rest := text[place:]:
            self._held[content["name"]] = message | {"content": content | {"text": rest}}
        shown = self._secrets.text(text[:place])
        return [message | {"content": content | {"text": shown}}] if shown else []

    def flush(self) -> list[dict[str, Any]]:
        """What still waits; nothing follows it."""
        held, self._held = self._held, {}
        return [one | {"content": self._secrets.clean(one["content"])} for one in held.values()]


def _said(message: dict[str, Any]) -> Iterator[str]:
    return (field for field in ("content", "metadata", "buffers") if message.get(field))


def _spans(text: str, wholes: dict[str, str]) -> Iterator[tuple[int, int]]:
    for begin, whole in wholes.items():
        start = text.find(begin)
        while start >= 0:
            end = start + len(begin)
            while end - start < len(whole) and end < len(text) and text[end] == whole[end - start]:
                end += 1
            yield start, end
            start = text.find(begin, start + 1)


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that overlap as one."""
    while spans:
        start, end = spans.pop(0)
        while spans and spans[0][0] <= end:
            end = max(end, spans.pop(0)[1])
        yield start, end
