"""References to secrets, `env:NAME` and the like: what stands in a parameter, a file or an event in place of a value."""

import os
import re
from pathlib import Path

from ragonotebooks.errors import UsageError

SCHEMES = {
    "secretsmanager": re.compile(r"[\w/+=.@:-]+"),
    "secretmanager": re.compile(r"[\w/-]+"),
    "env": re.compile(r"[A-Za-z_]\w*"),
    "file": re.compile(r".+"),
}
"""Where a secret can be kept, and the form of its name there: a name or an ARN in AWS Secrets Manager; an id or
`projects/P/secrets/S/versions/V` in Google Cloud's Secret Manager; an environment variable; the path of a file."""

FORMS = ", ".join(f"{scheme}:{'PATH' if scheme == 'file' else 'NAME'}" for scheme in SCHEMES)
"""How a reference is written, for a reader."""


def is_reference(text: object) -> bool:
    """Whether the text has the form of a reference; nothing is looked up."""
    if not isinstance(text, str):
        return False
    scheme, _, name = text.partition(":")
    return scheme in SCHEMES and SCHEMES[scheme].fullmatch(name) is not None


def located(reference: str) -> str:
    """The reference with its path absolute, taken from the current folder, since a notebook runs elsewhere."""
    scheme, _, name = reference.partition(":")
    return f"file:{Path(name).expanduser().absolute()}" if scheme == "file" else reference


def local_value(reference: str) -> bytes | None:
    """The secret behind `env:` or `file:`, without the file's last line end; None for what a cloud keeps.

    Raises:
        UsageError: The variable is not set, the file cannot be read, or there is nothing in it.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        value = os.environb.get(name.encode(), b"")
        if not value:
            raise UsageError(f"the environment variable {name} is empty or not set; set it to the secret")
        return value
    if scheme == "file":
        return _content(Path(name).expanduser())
    return None


def _content(path: Path) -> bytes:
    try:
        value = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise UsageError(f"the secret in {path} cannot be read ({error.strerror}); name a file that can") from None
    if not value:
        raise UsageError(f"the file {path} is empty; put the secret into it")
    return value
