"""Files of YAML whose fields are known: what is wrong with one is said in a sentence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ragonotebooks.catalog import project
from ragonotebooks.catalog.nearest import did_you_mean
from ragonotebooks.errors import UsageError


def load(path: Path, loader: type[yaml.BaseLoader] | type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """What a file of YAML holds; with `yaml.BaseLoader` every value is the text that stands there."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{project.shown(path)} cannot be read as YAML: {reason}; correct it") from None


def fields(where: str, what: str, data: Any, needed: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """The data itself when it is a mapping with all needed fields and no unknown one.

    `where` it stands and `what` it is, such as `a runbook`, begin the sentence that says what is wrong.
    """
    if not isinstance(data, dict):
        raise UsageError(f"{where} is not {what}; it needs the fields {', '.join(needed)}")
    for field in needed:
        if not data.get(field):
            raise UsageError(f"{where} has no field '{field}'; {what} needs {', '.join(needed)}")
    for field in data:
        if field not in (known := (*needed, *optional)):
            raise UsageError(f"{where} has an unknown field '{field}'; {did_you_mean(str(field), known)}")
    return data
