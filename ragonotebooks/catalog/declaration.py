"""What the annotation of a parameter declares: its type and which values it takes. Read from syntax, never executed.

The same forms stand behind the names that a cell imports (`ragonotebooks.lesson.parameters`), so that the command line,
which reads a notebook, and the kernel, which runs it, mean the same.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ragonotebooks.catalog import references

Value = str | int | float | bool
"""What a parameter can hold."""

TYPES: dict[str, type[Value]] = {"str": str, "int": int, "float": float, "bool": bool}
"""The types that a parameter may have."""

Meaning = Literal["", "region", "corpus", "secret"]
"""What text stands for that has to be looked up: a region of the cloud, a folder of papers, a reference to a secret."""

_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_MEANT: dict[Meaning, str] = {
    "region": "a region of the cloud",
    "corpus": "a folder of papers",
    "secret": f"a reference to a secret: {references.FORMS}",
}


@dataclass(frozen=True, slots=True)
class Form:
    """Which values a parameter takes.

    type: `str`, `int`, `float` or `bool`.
    choices: all of them, when they are few. bounds: the least and the greatest. pattern: what text matches, whole.
    meaning: what the text stands for. says: which values these are, for a reader; found in the rest when empty.
    """

    type: str = "str"
    choices: tuple[Value, ...] = ()
    bounds: tuple[float, float] | None = None
    pattern: str = ""
    meaning: Meaning = ""
    says: str = ""

    @property
    def words(self) -> str:
        """Which values these are, such as `1 to 10`."""
        if self.choices:
            return " or ".join(map(str, self.choices))
        if self.bounds:
            return f"{self.bounds[0]} to {self.bounds[1]}"
        if self.pattern:
            return self.says or f"text that matches {self.pattern}"
        return _MEANT.get(self.meaning) or _WORDS[self.type]

    def accepts(self, value: object) -> bool:
        """Whether this is one of the values; what stands for something else is not looked up."""
        kinds = (int, float) if self.type == "float" else (TYPES[self.type],)
        if type(value) not in kinds:
            return False
        if self.bounds and not self.bounds[0] <= value <= self.bounds[1]:  # type: ignore[operator]  # bounds: a number
            return False
        if self.pattern and not re.fullmatch(self.pattern, str(value)):
            return False
        if self.meaning == "secret" and not references.is_reference(value):
            return False
        return not self.choices or value in self.choices


NAMED = {
    "Target": Form(choices=("sandbox", "cloud")),
    "Region": Form(meaning="region"),
    # a prefix of what clouds name: the strictest are AWS's load balancers (32 characters) and buckets (lower case)
    "Deployment": Form(
        pattern="(?=.{1,32}$)[a-z][a-z0-9]*(-[a-z0-9]+)*",
        says="up to 32 lower-case letters, digits and single hyphens, a letter first",
    ),
    "Corpus": Form(meaning="corpus"),
    "Secret": Form(meaning="secret"),
}
"""The forms that have a name of their own."""


def between(low: float, high: float) -> Form:
    """The form `Between[low, high]`; a ValueError when there is no such number."""
    if {type(low), type(high)} not in ({int}, {float}, {int, float}) or low > high:
        raise ValueError(f"Between[{low!r}, {high!r}] holds no number")
    return Form("int" if type(low) is type(high) is int else "float", bounds=(low, high))


def matching(pattern: str) -> Form:
    """The form `Annotated[str, Matching(pattern)]`; a ValueError when it is no regular expression."""
    try:
        re.compile(pattern)
    except re.error:
        raise ValueError(f"{pattern!r} is no regular expression") from None
    return Form(pattern=pattern)


def one_of(choices: Sequence[Value]) -> Form:
    """The form `Literal[…]`; a ValueError when the choices are of several types or of one that no parameter has."""
    names = {type(choice).__name__ for choice in choices}
    if len(names) != 1 or not names <= TYPES.keys():
        raise ValueError("the choices of a Literal are of one type")
    return Form(names.pop(), choices=tuple(choices))


def read(annotation: ast.expr) -> Form:
    """The form that an annotation declares; a ValueError says what is wrong with it."""
    match annotation:
        case ast.Name(name) if name in TYPES:
            return Form(name)
        case ast.Name(name) if name in NAMED:
            return NAMED[name]
        case ast.Subscript(value=ast.Name("Literal"), slice=choices):
            found = ast.literal_eval(choices)
            return one_of(found if isinstance(found, tuple) else (found,))
        case ast.Subscript(value=ast.Name("Between"), slice=ast.Tuple(elts=[low, high])):
            return between(ast.literal_eval(low), ast.literal_eval(high))
        case ast.Subscript(
            value=ast.Name("Annotated"),
            slice=ast.Tuple(elts=[ast.Name("str"), ast.Call(ast.Name("Matching"), [ast.Constant(str(pattern))], [])]),
        ):
            return matching(pattern)
    raise ValueError(f"'{ast.unparse(annotation)}' declares no form of value that is known")
