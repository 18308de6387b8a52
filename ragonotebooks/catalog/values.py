"""From a string of the command line to a parameter's value, as the parameter is declared."""

import json
import logging
from pathlib import Path

from ragonotebooks.catalog import references, regions
from ragonotebooks.catalog.declaration import TYPES, Form, Value
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.catalog.parameters import Parameter
from ragonotebooks.errors import UsageError

CORPUS_SUFFIXES = (".json", ".pdf", ".txt", ".md")
"""The files of a corpus folder that are indexed; others are left alone."""

_BOOLEANS = {"true": True, "false": False}


def convert(parameter: Parameter, text: str, cloud: str) -> Value:
    """The value of this text for the parameter of a cloud's notebook.

    A UsageError names the parameter, the value and what was expected; the value of a secret it does not name.

    A corpus and the file of a secret become absolute, taken from the current folder, since a notebook runs elsewhere.
    """
    value = _typed(parameter.form.type, text)
    require(parameter.name, parameter.form, value, parameter.default)
    match parameter.form.meaning:
        case "region":
            return regions.known(text, cloud)
        case "corpus":
            return _corpus(parameter.name, text)
        case "secret":
            return references.located(text)
    return value


def require(name: str, form: Form, value: object, default: Value | None = None) -> None:
    """Raise a UsageError unless the form of the parameter `name` accepts the value; `default` is one that it does."""
    if form.accepts(value):
        return
    if form.meaning == "secret":
        raise UsageError(f"parameter '{name}' takes {form.words}, never the value; what was given is none")
    if value is ...:
        raise UsageError(f"parameter '{name}' is required; give it with -p {name}=VALUE: {form.words}")
    example = "" if default in (None, "") else f"; for example -p {name}={written(default)}"
    hint = f"; {did_you_mean(str(value), map(str, form.choices))}" if form.choices else example
    raise UsageError(f"parameter '{name}' is {_said(value)} but must be {form.words}{hint}")


def settle(parameter: Parameter, value: object) -> bytes | None:
    """Check the value that a parameter is going to have, None for none; return the secret behind it if it is at hand.

    A UsageError says what is wrong with the value or the declaration, or that the secret is not where it should be.
    """
    if parameter.flaw:
        raise UsageError(f"parameter '{parameter.name}' cannot be used, {parameter.flaw}; correct the parameters cell")
    require(parameter.name, parameter.form, ... if value is None else value, parameter.default)
    return references.local_value(str(value)) if parameter.form.meaning == "secret" else None


def _typed(type_name: str, text: str) -> Value:
    """The text as a value of the type, or the text itself where it is none."""
    if type_name == "bool":
        return _BOOLEANS.get(text.lower(), text)
    try:
        return TYPES[type_name](text)
    except ValueError:
        return text


def _said(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def written(value: Value) -> str:
    """The value as one writes it on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _corpus(name: str, text: str) -> str:
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"corpus '{text}' is not a folder; give a folder of papers with -p {name}=DIR")
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in CORPUS_SUFFIXES and path.is_file()]
    if not files:
        raise UsageError(f"corpus '{text}' holds no paper; put {', '.join(CORPUS_SUFFIXES)} files into it")
    for path in files:
        _readable(path)
    return str(folder)


def _readable(path: Path) -> None:
    try:
        match path.suffix.lower():
            case ".pdf":
                _open_pdf(path)
            case ".json":
                json.loads(path.read_text(encoding="utf-8"))
            case _:
                path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"paper {path} cannot be read ({reason}); repair it or take it out of the corpus") from None


def _open_pdf(path: Path) -> None:
    import pypdf

    # A damaged file makes pypdf log line after line; the one sentence of the error is enough.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        pages = len(pypdf.PdfReader(path).pages)
    except OSError:
        raise
    except Exception as error:  # damaged files end in many kinds of errors, not in pypdf's own alone
        raise ValueError(f"no readable PDF: {error}") from error
    if not pages:
        raise ValueError("a PDF without pages")
