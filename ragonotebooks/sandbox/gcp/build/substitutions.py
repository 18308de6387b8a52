"""Substitutions: the variables of a build that are replaced before it starts, and those that a trigger reads from a message.

Source: Cloud Build, "Substitute variable values" and "Use payload bindings and bash parameter expansions", read 2026-11.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from ragonotebooks.sandbox.gcp.apis import is_repeated
from ragonotebooks.sandbox.gcp.errors import invalid, unsupported

_KEY: Final = re.compile(r"_[A-Z0-9_]+")
_VARIABLE: Final = re.compile(r"\$(?:\$|([A-Z_][A-Z0-9_]*)|\{([A-Z_][A-Z0-9_]*)\}|\{([^}]*)\})")
_PAYLOAD: Final = re.compile(r"\$\(([^)]*)\)")
#: What a build knows of itself; what it knows only when it comes from a repository is empty.
BUILT_IN: Final = (
    *(
        "PROJECT_ID",
        "PROJECT_NUMBER",
        "BUILD_ID",
        "LOCATION",
        "TRIGGER_NAME",
        "SERVICE_ACCOUNT",
        "SERVICE_ACCOUNT_EMAIL",
    ),
    *("COMMIT_SHA", "REVISION_ID", "SHORT_SHA", "REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME", "REF_NAME"),
    "TRIGGER_BUILD_CONFIG_PATH",
)
#: The fields of a step in which variables are replaced; a script reads them from its environment.
_OF_A_STEP: Final = ("name", "env", "args", "dir_", "id", "entrypoint")


def check_keys(given: Iterable[str]) -> None:
    """Refuse names that no variable of a user can have."""
    for key in given:
        if not _KEY.fullmatch(key):
            text = (
                f"substitution key {key!r} does not respect format {_KEY.pattern!r} and is not an overridable built-in"
            )
            raise invalid(f"generic::invalid_argument: invalid substitutions: {text}", {"substitutions": key})


def replace_in(build: Any, values: Mapping[str, str], *, loose: bool) -> None:
    """Replace the variables of a build's steps, secrets and tags.

    Args:
        build: The build, changed in place.
        values: The built-in variables and the user's own.
        loose: Whether a variable that has no value is empty, and a value may be in vain (ALLOW_LOOSE).

    Raises:
        ApiError: It is not, and one has none or is.
    """
    used: set[str] = set()

    def text(template: str) -> str:
        return _VARIABLE.sub(lambda found: _value(found, values, used, loose=loose), template)

    for step in build.steps:
        _replace(step, _OF_A_STEP, text)
    _replace(build, ("tags",), text)
    _replace(build.options, ("env",), text)
    for secret in build.available_secrets.secret_manager:
        _replace(secret, ("version_name",), text)
    vain = [key for key in values if key.startswith("_") and key not in used]
    if vain and not loose:
        problem = f'key "{vain[0]}" in the substitution data is not matched in the template'
        raise invalid(f"generic::invalid_argument: {problem}", {"substitutions": problem})


def _replace(message: Message, names: Iterable[str], text: Any) -> None:
    for name in names:
        if is_repeated(message.DESCRIPTOR.fields_by_name[name]):
            items = getattr(message, name)
            items[:] = [text(item) for item in items]
        else:
            setattr(message, name, text(getattr(message, name)))


def _value(found: re.Match[str], values: Mapping[str, str], used: set[str], *, loose: bool) -> str:
    if found[0] == "$$":
        return "$"
    if found[3] is not None:
        raise unsupported(f"the expansion {found[0]} of a variable of a build")
    name = found[1] or found[2]
    used.add(name)
    if name not in values and not loose and name not in BUILT_IN:
        problem = f'key in the template "{name}" is not a valid built-in substitution'
        raise invalid(f"generic::invalid_argument: invalid value for 'build.substitutions': {problem}")
    return values.get(name, "")


def bound(substitutions: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, str]:
    """Return a trigger's variables with what they name of a message: `$(body.message.attributes.objectId)`.

    What is not in the message is empty.
    """
    return {key: _PAYLOAD.sub(lambda found: _at(body, found[1]), value) for key, value in substitutions.items()}


def check_bindings(substitutions: Mapping[str, str]) -> None:
    """Refuse to bind a variable to anything but parts of a message."""
    for value in substitutions.values():
        for path in _PAYLOAD.findall(value):
            if not re.fullmatch(r"body(\.\w+)*", path):
                raise unsupported(f"the payload binding $({path})")


def _at(body: Mapping[str, Any], path: str) -> str:
    found: Any = {"body": body}
    for part in path.split("."):
        found = found.get(part, "") if isinstance(found, Mapping) else ""
    return found if isinstance(found, str) else str(found)
