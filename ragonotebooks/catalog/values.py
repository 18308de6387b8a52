"""From a string of the command line to a parameter's value: by its type, then by what its name promises."""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

from ragonotebooks.catalog import regions
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.catalog.notebook import Parameter, Value
from ragonotebooks.errors import UsageError

CORPUS_SUFFIXES = (".json", ".pdf", ".txt", ".md")
"""The files of a corpus folder that are indexed; others are left alone."""

TARGETS = ("sandbox", "cloud")

_BOOLEANS = {"true": True, "false": False}
_FORMS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


def convert(parameter: Parameter, text: str, cloud: str) -> Value:
    """The value of this text for the parameter of a cloud's notebook.

    A UsageError names the parameter, the value and what was expected.

    `corpus` becomes an absolute path, taken from the current folder, since a notebook runs elsewhere.
    """
    try:
        value = _typed(parameter.type, text)
    except ValueError:
        raise UsageError(
            f"parameter '{parameter.name}' is '{text}' but must be {_FORMS[parameter.type]} ({parameter.type}); "
            f"for example -p {parameter.name}={_example(parameter)}"
        ) from None
    if parameter.name == "region" and isinstance(value, str):
        return regions.known(value, cloud)
    meant = _MEANINGS.get(parameter.name)
    return meant(value) if meant and isinstance(value, str) else value


def _typed(type_name: str, text: str) -> Value:
    if type_name == "bool":
        if text.lower() not in _BOOLEANS:
            raise ValueError(text)
        return _BOOLEANS[text.lower()]
    if type_name == "int":
        return int(text)
    if type_name == "float":
        return float(text)
    return text


def _example(parameter: Parameter) -> str:
    return str(parameter.default).lower() if parameter.type == "bool" else str(parameter.default)


def _target(target: str) -> str:
    if target not in TARGETS:
        raise UsageError(f"target '{target}' is not known; {did_you_mean(target, TARGETS)}")
    return target


def _deployment(name: str) -> str:
    """The name is a prefix of what clouds name: the strictest are AWS's load balancers (32 characters) and buckets (lower case)."""
    if len(name) > 32 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(
            f"name '{name}' cannot name a deployment; "
            "use up to 32 lower-case letters, digits and single hyphens, a letter first"
        )
    return name


def _corpus(text: str) -> str:
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"corpus '{text}' is not a folder; give a folder of papers with -p corpus=DIR")
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


_MEANINGS: dict[str, Callable[[str], str]] = {
    "corpus": _corpus,
    "name": _deployment,
    "target": _target,
}
