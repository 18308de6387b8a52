"""The names with which a parameters cell declares its values, beside Python's own: `workers: Between[1, 10] = 2`.

To Python each is an annotation as any other; the command line reads it before a kernel starts, and `connect` checks by it
what the cell holds when it was run by hand, by papermill or by nbval.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from ragonotebooks.catalog import declaration
from ragonotebooks.catalog.declaration import NAMED, TYPES, Form
from ragonotebooks.catalog.values import require

Target = Annotated[str, NAMED["Target"]]
"""Which cloud answers: "sandbox" or "cloud"."""

Region = Annotated[str, NAMED["Region"]]
"""A region of the notebook's cloud."""

Deployment = Annotated[str, NAMED["Deployment"]]
"""The name of a deployment: up to 32 lower-case letters, digits and single hyphens, a letter first."""

Corpus = Annotated[str, NAMED["Corpus"]]
"""A folder with papers."""

Secret = Annotated[str, NAMED["Secret"]]
"""A reference to a secret, never its value: `secretsmanager:NAME`, `secretmanager:NAME`, `env:NAME`, `file:PATH`.
The cell turns it into the value with `secret(…)`."""


class Between:
    """`Between[1, 10]`: a number from the first to the last; a whole one when both are."""

    def __class_getitem__(cls, bounds: tuple[float, float]) -> Any:
        form = declaration.between(*bounds)
        return Annotated[TYPES[form.type], form]


def Matching(pattern: str) -> Form:  # noqa: N802 - reads as the type that it is to a reader
    """`Annotated[str, Matching(r"[0-9]{12}")]`: text that matches the regular expression, whole."""
    return declaration.matching(pattern)


def check_parameters(namespace: Mapping[str, Any]) -> None:
    """Check what a notebook's annotated variables hold now against what was declared of them.

    Raises:
        UsageError: One holds something else.
    """
    for name, annotation in namespace.get("__annotations__", {}).items():
        form = _form(annotation)
        if form and name in namespace:
            require(name, form, namespace[name])


def _form(annotation: Any) -> Form | None:
    """The form that was declared; None for a plain type, since code may bind such a name to anything."""
    if get_origin(annotation) is Literal:
        return declaration.one_of(get_args(annotation))
    return next((one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Form)), None)
