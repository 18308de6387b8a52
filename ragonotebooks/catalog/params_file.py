"""A file of parameters, YAML or JSON: names and values as text, so that what a value is, its declaration decides.

YAML alone would take `012345670123`, an account's id, for an octal number.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ragonotebooks.errors import UsageError


def read(path: Path) -> dict[str, str]:
    """The values in a `.yaml`, `.yml` or `.json` file by name, as they are written there.

    A UsageError says what is wrong with the file; it repeats nothing of what stands in it but names.
    """
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise UsageError(f"{path} is no file of parameters; give a .yaml, .yml or .json file")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give a file of parameters") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8; save it as such") from None
    pairs = _of_json(path, text) if path.suffix == ".json" else _of_yaml(path, text)
    values: dict[str, str] = {}
    for name, value in pairs:
        if value is None:
            raise UsageError(f"{path}: the value of '{name}' is neither text, a number, true nor false; correct it")
        if name in values:
            raise UsageError(f"{path} gives '{name}' twice; give it once")
        values[name] = value
    return values


def _of_json(path: Path, text: str) -> Iterable[tuple[str, str | None]]:
    try:
        pairs = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} cannot be read as JSON (line {error.lineno}); correct it") from None
    if not isinstance(pairs, _Pairs):
        raise _no_mapping(path)
    return [(name, json.dumps(value) if isinstance(value, bool) else _text(value)) for name, value in pairs]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object that keeps what is in it twice."""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _of_yaml(path: Path, text: str) -> Iterable[tuple[str, str | None]]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        raise UsageError(f"{path} cannot be read as YAML ({line}); correct it") from None
    except yaml.YAMLError:
        raise UsageError(f"{path} cannot be read as YAML; correct it") from None
    if not isinstance(node, yaml.MappingNode):
        raise _no_mapping(path)
    return [(str(name.value), _scalar(value)) for name, value in node.value]


def _scalar(node: yaml.Node) -> str | None:
    """What a scalar says, as it is written; None for what says nothing or is none."""
    if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
        return None
    return str(node.value)


def _no_mapping(path: Path) -> UsageError:
    return UsageError(f"{path} is no mapping of names to values; write 'region: us-east-1' and the like")
