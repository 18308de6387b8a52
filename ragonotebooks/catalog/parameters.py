"""The parameters of a notebook, read from its cell tagged `parameters` as data."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ragonotebooks.catalog import declaration
from ragonotebooks.catalog.declaration import Form, Value

HOMES = ("ragonotebooks", "typing")
"""What a parameters cell imports from: the names with which it declares."""

_FORMS = ("Annotated", "Between", "Literal")


@dataclass(frozen=True, slots=True)
class Parameter:
    """An annotated assignment of the cell tagged `parameters`.

    declared: the annotation as it is written, `Between[1, 10]`. form: what it means.
    default: None when it has to be given, which `...` declares.
    comment: the text behind it on its line, without the `#`.
    flaw: what is wrong with the declaration, so that no run can use it; empty when nothing is.
    """

    name: str
    declared: str
    form: Form
    default: Value | None
    comment: str
    flaw: str = ""


def read(source: str) -> Iterator[Parameter]:
    """The parameters that a cell declares; what assigns something else, such as a list, is none."""
    lines = source.splitlines()
    for statement in ast.parse(source).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(name), annotation=annotation, value=ast.expr() as value):
                # Offsets of the syntax tree count UTF-8 bytes.
                line = lines[(statement.end_lineno or statement.lineno) - 1]
                behind = line.encode()[statement.end_col_offset :].decode()
                found = _parameter(name, annotation, value, behind.strip().removeprefix("#").strip())
                if found:
                    yield found


def _parameter(name: str, annotation: ast.expr, value: ast.expr, comment: str) -> Parameter | None:
    declared = ast.unparse(annotation)
    try:
        form = declaration.read(annotation)
    except ValueError as error:
        if not _is_ours(annotation):
            return None
        return Parameter(name, declared, Form(), None, comment, str(error))
    try:
        default = ast.literal_eval(value)
    except ValueError:
        default = None
    if default is ...:
        return Parameter(name, declared, form, None, comment)
    if not form.accepts(default):
        # what stands there may be a secret
        return Parameter(name, declared, form, None, comment, f"its default must be {form.words}")
    return Parameter(name, declared, form, float(default) if form.type == "float" else default, comment)


def _is_ours(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in _FORMS
