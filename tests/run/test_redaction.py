"""Secrets on every surface that a run saves: none is left, however it is written and wherever it is cut."""

import base64
import html
import json
import re
import string
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import nbformat
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nbformat import v4

from ragonotebooks.run.redaction import MARK, Messages, Redactor
from ragonotebooks.run.spellings import spellings

UNTIMED = settings(deadline=None)
_SIGNS = string.ascii_letters + string.digits + "+/=_-.!\"'\\&<>% {}äß€"
SECRETS = st.text(_SIGNS, min_size=8, max_size=60).filter(lambda one: one.strip() == one and one not in MARK)
AROUND = st.text(st.characters(codec="utf-8"), max_size=30)


def knowing(*secrets: str) -> Redactor:
    redactor = Redactor()
    for one in secrets:
        redactor.learn(one.encode())
    return redactor


def written(secret: str, before: bytes, behind: bytes) -> list[str]:
    """The secret as programs write it: plain, escaped, in a URL, in base64 of something longer."""
    whole = before + secret.encode() + behind
    return [
        secret,
        repr(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        html.escape(secret),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        base64.b64encode(whole).decode(),
        base64.urlsafe_b64encode(whole).decode(),
        quote_plus(base64.b64encode(whole).decode()),
    ]


def holds(text: str, secret: str) -> bool:
    """Whether the text shows the secret, in any way in which it is written."""
    return any(one in text for one in spellings(secret.encode()))


@UNTIMED
@given(SECRETS, AROUND, AROUND, st.binary(max_size=7), st.binary(max_size=7))
def test_no_text_shows_a_secret(secret: str, before: str, behind: str, left: bytes, right: bytes) -> None:
    redactor = knowing(secret)
    for one in written(secret, left, right):
        assert not holds(redactor.text(f"{before}{one}{behind}"), secret)


@UNTIMED
@given(st.lists(SECRETS, min_size=1, max_size=4), AROUND)
def test_no_secret_hides_another_one(secrets: list[str], between: str) -> None:
    redactor = knowing(*secrets)
    text = redactor.text(between.join(secrets) + "".join(secrets))
    assert not any(holds(text, one) for one in secrets)


@UNTIMED
@given(SECRETS, AROUND)
def test_what_holds_no_secret_stays_as_it_is(secret: str, text: str) -> None:
    assume(not holds(text, secret) and secret[: len(secret) // 2] not in text)
    data = {"text": [text, 1, 2.5, None, True], text: {"inner": (text,)}}
    assert knowing(secret).clean(data) == data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@UNTIMED
@given(SECRETS, JSON, st.booleans())
def test_no_data_holds_a_secret_as_name_or_value(secret: str, data: Any, as_name: bool) -> None:
    seeded = {secret: data} if as_name else [data, {"deep": [secret, data]}]
    assert not holds(json.dumps(knowing(secret).clean(seeded), ensure_ascii=False), secret)


@UNTIMED
@given(st.integers(10**8, 10**12))
def test_a_secret_of_digits_is_no_number_either(secret: int) -> None:
    assert knowing(str(secret)).clean({"pin": secret, "ratio": 0.5}) == {"pin": MARK, "ratio": 0.5}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"msg_type": "stream", "content": {"name": name, "text": text}}


@UNTIMED
@given(SECRETS, AROUND, AROUND, st.lists(st.integers(0, 120), max_size=5))
def test_a_stream_shows_no_secret_wherever_it_is_cut(secret: str, before: str, behind: str, cuts: list[int]) -> None:
    text = f"{before}{secret}{behind}"
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in cuts)})
    messages, shown = Messages(knowing(secret)), ""
    for start, end in pairwise(places):
        for one in messages.clean(stream(text[start:end])):
            shown += one["content"]["text"]
            assert not holds(shown, secret)
    shown += "".join(one["content"]["text"] for one in messages.flush())
    assert not holds(shown, secret)
    if not any(one.startswith(text[-1]) for one in spellings(secret.encode())):
        assert re.sub(f"({re.escape(MARK)})+", MARK, shown) == knowing(secret).text(text)


def test_what_waits_is_shown_before_what_comes_next() -> None:
    messages = Messages(knowing("correct-horse"))
    assert messages.clean(stream("it is corr")) == [stream("it is ")]
    assert messages.clean({"msg_type": "status", "content": {}}) == [
        stream("corr"),
        {"msg_type": "status", "content": {}},
    ]
    assert messages.flush() == []


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("correct-horse-battery-staple", "correct-horse-batt…"),
        ('{"username": "ann", "password": "correct-horse"}', "{'password': 'correct-horse'}"),
        ('{"keys": [{"value": "correct-horse"}]}', "correct-horse"),
        ('{"pin": 12345678}', "12345678"),
        ("-----BEGIN KEY-----\nMIIEvAIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n", "  kqhkiG9w0BAQEF"),
        ("correct-horse", "\x1b[31mcorrect\x1b[0m-\x1b[34mhorse\x1b[0m"),
    ],
    ids=["cut off", "field", "field in a list", "number", "line", "colours"],
)
def test_a_part_of_a_secret_is_one_too(told: str, shown: str) -> None:
    assert MARK in (text := knowing(told).text(shown))
    assert not any(part in text for part in ("correct", "horse", "12345678", "kqhkiG9w0BAQEF"))


def test_what_tells_nothing_by_itself_is_shown() -> None:
    fields = {"username": "ragonometrics", "host": "db.example.com", "password": "correct-horse"}
    text = "ragonometrics at db.example.com, -----BEGIN CERTIFICATE-----, short"
    assert knowing(json.dumps(fields), "-----BEGIN CERTIFICATE-----\nshort\n", "short").text(text) == text


def notebook_that_shows(text: str) -> Any:
    outputs = [
        v4.new_output("stream", name="stderr", text=text),
        v4.new_output("display_data", data={"text/html": html.escape(text), "application/json": {"a": [text]}}),
        v4.new_output("error", ename="E", evalue=text, traceback=[repr(text)]),
    ]
    cell = v4.new_code_cell(f"key = {text!r}", outputs=outputs, metadata={"note": text})
    return v4.new_notebook(cells=[v4.new_markdown_cell(text), cell], metadata={"title": text})


@UNTIMED
@given(SECRETS)
def test_no_part_of_a_notebook_holds_a_secret(secret: str) -> None:
    assume(not holds(nbformat.writes(notebook_that_shows("")), secret))  # such as a word of the format itself
    node = notebook_that_shows(secret)
    knowing(secret).clean_notebook(node)
    nbformat.validate(node)
    assert not holds(nbformat.writes(node), secret)


def test_the_files_of_a_run_are_swept_of_what_became_known_late(tmp_path: Path) -> None:
    secret = 'correct "horse" <battery>'
    node = v4.new_notebook(cells=[v4.new_code_cell("", outputs=[v4.new_output("stream", text=secret)])])
    (tmp_path / "01.ipynb").write_text(nbformat.writes(node), encoding="utf-8")
    (tmp_path / "events.jsonl").write_text(json.dumps({"message": secret, "seconds": 1.5}) + "\n", encoding="utf-8")
    (tmp_path / "report.html").write_text(f"<p>{html.escape(secret)}</p>", encoding="utf-8")
    knowing(secret).sweep(tmp_path)
    assert not any(holds(path.read_text(encoding="utf-8"), secret) for path in tmp_path.iterdir())
    assert nbformat.read(tmp_path / "01.ipynb", as_version=4).cells[0].outputs[0].text == MARK
    assert json.loads((tmp_path / "events.jsonl").read_text(encoding="utf-8")) == {"message": MARK, "seconds": 1.5}
