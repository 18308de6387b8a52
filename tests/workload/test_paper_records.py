"""Reading papers out of corpus objects, and what is said about those that cannot be read."""

import io
import json
from typing import Any

import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from ragonotebooks.workload.errors import InputError
from ragonotebooks.workload.records import read, readable


def pdf(text: str, **about: str) -> bytes:
    """A PDF of one page that shows `text`."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(300, 300)
    font = DictionaryObject({
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    })  # fmt: skip
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F"): font})})
    content = DecodedStreamObject()
    content.set_data(f"BT /F 12 Tf 20 200 Td ({text}) Tj ET".encode())
    page[NameObject("/Contents")] = writer._add_object(content)
    writer.add_metadata({f"/{name}": value for name, value in about.items()})
    data = io.BytesIO()
    writer.write(data)
    return data.getvalue()


def test_a_record_is_read_with_all_its_fields(make_record: Any) -> None:
    paper = read("lemons.json", make_record("lemons", doi="10.2307/1879431"))
    assert (paper.id, paper.year, paper.venue, paper.doi) == ("lemons", 1970, "A Journal", "10.2307/1879431")
    assert paper.authors == ("Ada Author", "Bo Writer")
    assert paper.text.startswith("Sellers of used cars")


def test_a_record_needs_no_doi(make_record: Any) -> None:
    assert read("lemons.json", make_record("lemons")).doi is None


@pytest.mark.parametrize("field", ["id", "title", "authors", "year", "venue", "jel", "summary"])
def test_a_record_that_lacks_a_field_is_refused_by_name(make_record: Any, field: str) -> None:
    broken = {name: value for name, value in json.loads(make_record("lemons")).items() if name != field}
    with pytest.raises(InputError, match=rf"^lemons\.json is no paper record: its field '{field}'"):
        read("lemons.json", json.dumps(broken).encode())


@pytest.mark.parametrize("data", [b"{", b"[]", b'"text"', b"\xff\xfe", b""])
def test_what_is_no_record_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^bad\.json .*\.$") as caught:
        read("bad.json", data)
    assert "\n" not in str(caught.value)


def test_a_pdf_gives_its_text_title_and_author() -> None:
    paper = read("sub/a-study.pdf", pdf("Wages rose and jobs stayed.", Title="On Wages", Author="Ada Author"))
    assert (paper.id, paper.title, paper.authors) == ("sub/a-study.pdf", "On Wages", ("Ada Author",))
    assert paper.text == "Wages rose and jobs stayed."


def test_a_pdf_without_a_title_is_called_by_its_file_name() -> None:
    paper = read("sub/a-study_2.pdf", pdf("Wages rose."))
    assert (paper.title, paper.authors, paper.year) == ("a study 2", (), None)


def test_a_pdf_without_text_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^scan\.pdf holds no text: a scan needs OCR"):
        read("scan.pdf", pdf(""))


@pytest.mark.parametrize("data", [b"", b"not a PDF", b"%PDF-1.7\nand then nothing", pdf("Cut short.")[:300]])
def test_a_broken_pdf_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^broken\.pdf cannot be read as a PDF .*\.$") as caught:
        read("broken.pdf", data)
    assert "\n" not in str(caught.value)


def test_an_encrypted_pdf_is_refused_by_name() -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Secret.")))
    writer.encrypt("password", algorithm="RC4-128")
    data = io.BytesIO()
    writer.write(data)
    with pytest.raises(InputError, match=r"^locked\.pdf cannot be read as a PDF"):
        read("locked.pdf", data.getvalue())


def test_markdown_is_called_by_its_heading() -> None:
    paper = read("notes.md", "\n# Ünder way\n\nSome  text\nhere.".encode())
    assert (paper.id, paper.title, paper.text) == ("notes.md", "Ünder way", "# Ünder way Some text here.")


def test_text_holds_nothing_that_postgres_refuses() -> None:
    assert read("notes.txt", b"a\x00b\n\n c").text == "a b c"


def test_a_blank_file_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^notes\.txt holds no text"):
        read("notes.txt", b" \n ")


@pytest.mark.parametrize(
    ("name", "expected"), [("a.JSON", True), ("b/c.pdf", True), (".DS_Store", False), ("x", False)]
)
def test_only_known_kinds_are_readable(name: str, expected: bool) -> None:
    assert readable(name) is expected
