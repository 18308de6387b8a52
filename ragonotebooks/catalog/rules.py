"""The rules of a good lesson. Each looks at a notebook and yields what it found; `lint` words and prints it."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from ragonotebooks.catalog import approval, limits, notebook, objectives, parameters, project, regions
from ragonotebooks.catalog.names import names
from ragonotebooks.catalog.notebook import Cell, Notebook, Section
from ragonotebooks.errors import UsageError

Finding = tuple[int | None, str]
"""The index of the cell, or None for the whole notebook, and what is wrong there."""

LONGEST_CELL = 15
LONGEST_MEDIAN = 4

SECTIONS = (
    "What you will learn",
    "Parameters",
    "See it work",
    "In the real cloud",
    "Try it yourself",
    "Clean up",
)
"""The sections of a lesson in their order; its steps stand between Parameters and See it work."""

EXERCISE_TAGS = frozenset({"exercise", "skip-execution", "nbval-skip"})

_HOME = re.compile(r"/home/\w|/root/|/Users/\w|[A-Z]:\\+Users\\|/tmp/ragonotebooks-")
# keys of AWS, access tokens and API keys of Google
_SECRET = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bya29\.[\w-]{20}|\bAIza[\w-]{35}|-----BEGIN [A-Z ]*PRIVATE KEY")
_SANDBOX = re.compile(r"endpoint_url|api_endpoint|sandbox", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a good lesson does.

    code: its number. holds: the rule in words. fix: the edit that makes it hold. look: finds where it does not.
    teaching: it is about teaching, so that it does not bind a runbook's own notebook.
    """

    code: str
    holds: str
    fix: str
    look: Callable[[Notebook], Iterator[Finding]]
    teaching: bool = False

    def binds(self, one: Notebook) -> bool:
        """Whether the rule is for this notebook."""
        return one.is_lesson or not self.teaching


RULES: list[Rule] = []


def _rule(
    code: str, holds: str, fix: str, teaching: bool = False
) -> Callable[[Callable[[Notebook], Iterator[Finding]]], None]:
    return lambda look: RULES.append(Rule(code, holds, fix, look, teaching))


# 1xx: what a reader meets


@_rule(
    "L101",
    "all sections are there, in order",
    f"use the level-2 headings {', '.join(SECTIONS)} in this order",
    teaching=True,
)
def _sections(lesson: Notebook) -> Iterator[Finding]:
    titles = [section.title for section in lesson.sections]
    for title in SECTIONS:
        if title not in titles:
            yield None, f"section '{title}' is missing"
    there = [title for title in titles if title in SECTIONS]
    if there != sorted(there, key=SECTIONS.index):
        yield None, f"sections are in the order {', '.join(there)}"


@_rule(
    "L102",
    "the top says title, purpose, minutes, risk, cost and needs",
    "write '# AWS 02 · Title', a paragraph, and '**15 minutes · creates a bucket · about $0.03 a month · needs …**'",
)
def _top(lesson: Notebook) -> Iterator[Finding]:
    # what compares clouds has no place in the order of either
    number = r" \d\d" if lesson.is_lesson and lesson.cloud in regions.CLOUDS else ""
    if not re.search(rf"^# [A-Z]+{number} · \S", lesson.preamble, re.MULTILINE):
        yield 0, "the title line is missing"
    missing = [fact for fact in ("purpose", "minutes", "risk", "cost") if not getattr(lesson, fact)]
    if missing:
        yield 0, f"the top does not say its {', '.join(missing)}"
    for needed in lesson.needs:
        if not (project.notebooks() / f"{needed}.ipynb").is_file():
            yield 0, f"the notebook that it needs, {needed}, does not exist"


@_rule("L103", "a picture shows where the lesson stands", "put a ```mermaid block into What you will learn", True)
def _picture(lesson: Notebook) -> Iterator[Finding]:
    for section in lesson.sections:
        if section.title == "What you will learn" and "```mermaid" not in section.text:
            yield section.index, "there is no picture"


@_rule(
    "L104",
    "one cell tagged parameters holds annotated assignments, each with a comment",
    "write 'workers: Between[1, 10] = 2  # how many workers shall run': a declared form, a plain value, a comment",
)
def _parameters(lesson: Notebook) -> Iterator[Finding]:
    cells = [cell for cell in lesson.cells if "parameters" in cell.tags]
    if len(cells) != 1:
        yield None, f"{len(cells)} cells are tagged parameters, not one"
    for cell in cells:
        if len(lesson.parameters) != len([one for one in ast.parse(_plain(cell)).body if not _declares(one)]):
            yield cell.index, "a line of the parameters cell is not an annotated assignment of a plain value"
    for parameter in lesson.parameters:
        if parameter.flaw:
            yield cells[0].index, f"parameter {parameter.name} cannot be used, {parameter.flaw}"
        if not parameter.comment:
            yield cells[0].index, f"parameter {parameter.name} has no comment"


def _declares(statement: ast.stmt) -> bool:
    """Whether it imports names to declare with."""
    return isinstance(statement, ast.ImportFrom) and statement.module in parameters.HOMES


@_rule("L105", "the stored defaults mean the sandbox", "write 'target: Target = \"sandbox\"'")
def _target(lesson: Notebook) -> Iterator[Finding]:
    defaults = {parameter.name: parameter.default for parameter in lesson.parameters}
    if defaults.get("target") != "sandbox":
        yield None, f"parameter target is {defaults.get('target')!r}"


@_rule("L106", "the lesson connects before its first step", "add a cell 'lab = connect(\"aws\", target=target, …)'")
def _connects(lesson: Notebook) -> Iterator[Finding]:
    if not any("connect(" in cell.source for cell in lesson.cells[: _first_step(lesson)] if cell.kind == "code"):
        yield None, "no cell before the first step calls connect"


@_rule("L107", "steps are numbered from 1, between Parameters and See it work", "number the headings '## 1 · Title'")
def _numbers(lesson: Notebook) -> Iterator[Finding]:
    numbers = [step.number for step in lesson.steps]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        yield None, f"the steps are numbered {numbers}"
    places = {section.title: section.index for section in lesson.sections}
    for step in lesson.steps:
        if not places.get("Parameters", -1) <= step.section.index <= places.get("See it work", len(lesson.cells)):
            yield step.section.index, f"step {step.number} stands outside"


@_rule(
    "L108",
    "every step names the exam objectives that it teaches",
    "add a line '**Objectives:** DEA-C01 2.1 · SAA-C03 3.1' with ids out of data/objectives",
    teaching=True,
)
def _objectives(lesson: Notebook) -> Iterator[Finding]:
    for step in lesson.steps:
        if not step.objectives:
            yield step.section.index, f"step {step.number} names no objective"
        for ref in step.objectives:
            try:
                objectives.find(ref)
            except UsageError as error:
                yield step.section.index, str(error)


@_rule(
    "L109",
    "an exercise and a quiz with its answer folded away",
    "add a cell tagged exercise, skip-execution and nbval-skip, and a **Question.** with <details> around its answer",
)
def _exercise(lesson: Notebook) -> Iterator[Finding]:
    for section in lesson.sections:
        if section.title == "Try it yourself":
            if not any("exercise" in cell.tags for cell in section.code):
                yield section.index, "there is no exercise cell"
            if "**Question" not in section.text or "<details>" not in section.text:
                yield section.index, "there is no question with a folded answer"
    for cell in lesson.cells:
        if "exercise" in cell.tags and not cell.tags >= EXERCISE_TAGS:
            yield cell.index, f"the exercise lacks the tag {', '.join(sorted(EXERCISE_TAGS - cell.tags))}"


# 2xx: cells


@_rule("L201", "code cells of steps do one thing", f"tag the cell with exactly one of {', '.join(notebook.KINDS)}")
def _tags(lesson: Notebook) -> Iterator[Finding]:
    for cell in _code(lesson):
        if cell.index > _first_step(lesson) and cell.does is None:
            yield cell.index, f"the cell is tagged {', '.join(sorted(cell.tags)) or 'with nothing'}"


@_rule("L202", "every step proves itself", "add a cell tagged check that calls check(claim, actual, expected)")
def _proves(lesson: Notebook) -> Iterator[Finding]:
    for step in lesson.steps:
        if not any(cell.does == "check" for cell in step.cells):
            yield step.section.index, f"step {step.number} has no check cell"
    for cell in _code(lesson):
        if cell.does == "check" and "check(" not in cell.source:
            yield cell.index, "the check cell calls no check"


@_rule("L203", f"a code cell has at most {LONGEST_CELL} lines", "split it into cells of one thought each")
def _long(lesson: Notebook) -> Iterator[Finding]:
    for cell in _code(lesson):
        if (lines := len(cell.source.splitlines())) > LONGEST_CELL:
            yield cell.index, f"code cell has {lines} lines"


@_rule(
    "L204", f"the median code cell has at most {LONGEST_MEDIAN} lines", "split the long ones: one thought a cell", True
)
def _median(lesson: Notebook) -> Iterator[Finding]:
    lines = [len(cell.source.splitlines()) for cell in _code(lesson)]
    if lines and median(lines) > LONGEST_MEDIAN:
        yield None, f"the median code cell has {median(lines):g} lines"


@_rule("L205", "a section says why before its code says how", "write a sentence or two before the first code cell")
def _prose(lesson: Notebook) -> Iterator[Finding]:
    for section in lesson.sections:
        if section.code and section.title != "Parameters" and not _says_why(section):
            yield section.code[0].index, f"no prose stands before the code of '{section.title}'"


@_rule(
    "L206",
    "look and check cells run without the change cells",
    "read it from the cloud in a look or check cell, so that `verify` can skip the change cells",
)
def _skippable(lesson: Notebook) -> Iterator[Finding]:
    there: set[str] = set()
    changed: set[str] = set()
    for cell in _code(lesson):
        found = names(_plain(cell))
        if cell.does == "change":
            changed |= found.bound
            continue
        for name in sorted(found.needed & changed - there):
            yield cell.index, f"the {cell.does or 'untagged'} cell uses '{name}', which only a change cell defines"
        there |= found.bound


@_rule("L207", "code cells are plain Python", "write plain Python: no magics, no shell lines, no syntax errors")
def _python(lesson: Notebook) -> Iterator[Finding]:
    for cell in lesson.cells:
        if cell.kind == "code" and cell.source and not _plain(cell):
            yield cell.index, "code cell is not plain Python"


@_rule("L208", "lessons hold production code", "let connect() decide which cloud answers and take this out")
def _production(lesson: Notebook) -> Iterator[Finding]:
    for cell in lesson.cells:
        if cell.kind == "code" and "parameters" not in cell.tags and (word := _SANDBOX.search(cell.source)):
            yield cell.index, f"code says '{word[0]}'"


@_rule(
    "L209",
    "limits are declared by their step, and what is tried again looks first",
    "write '**Limits:** 10 minutes · 3 attempts', or one of the two; begin what is tried again with a look cell",
)
def _limits(lesson: Notebook) -> Iterator[Finding]:
    for section in lesson.sections:
        try:
            limits.of(section)
        except UsageError as error:
            yield section.index, str(error)
    for cell in _code(lesson):
        if "timeout" in cell.metadata.get("ragonotebooks", {}):
            yield cell.index, "the cell has a time limit in its metadata, where none is read"


@_rule(
    "L210",
    "an approval is asked for by a runbook's step that changes something, and says why",
    "write '**Approval:** …' into that step of the runbook's own notebook",
)
def _approvals(lesson: Notebook) -> Iterator[Finding]:
    if approval.LINE.search(lesson.preamble):
        yield 0, "an approval is asked for outside of the steps"
    for section in lesson.sections:
        try:
            asks = approval.of(section)
        except UsageError as error:
            yield section.index, str(error)
        else:
            if asks and lesson.is_lesson:
                yield section.index, f"'{section.title}' asks for an approval, but lessons are brought up unattended"


# 3xx: what is committed


@_rule("L301", "lessons are committed executed", "run `make notebooks` and commit what it saves")
def _executed(lesson: Notebook) -> Iterator[Finding]:
    cells = [cell.index for cell in _code(lesson) if cell.source and cell.execution_count is None]
    if cells:
        yield cells[0], f"{len(cells)} code cells were not executed, this one first"


@_rule("L302", "no output is an error", "make the cell pass and run `make notebooks`")
def _errors(lesson: Notebook) -> Iterator[Finding]:
    for cell in lesson.cells:
        for output in cell.outputs:
            if output["output_type"] == "error":
                yield cell.index, f"the output is {output['ename']}"


@_rule("L303", "nothing names a folder of one machine", "use a relative path or lab.root, and save again")
def _machine(lesson: Notebook) -> Iterator[Finding]:
    for cell in lesson.cells:
        text = _everything(cell)
        if (home := _HOME.search(text)) or str(project.ROOT) in text:
            yield cell.index, f"the cell holds the path '{home[0] if home else project.ROOT}'"


@_rule("L304", "no key or private key is stored", "take it out, rotate it if it was real, and save again")
def _secrets(lesson: Notebook) -> Iterator[Finding]:
    for cell in lesson.cells:
        if secret := _SECRET.search(_everything(cell)):
            yield cell.index, f"the cell holds what looks like a secret, '{secret[0][:8]}…'"


@_rule("L305", "the source carries no trace of a run", "run `make notebooks`, which saves without it")
def _traces(lesson: Notebook) -> Iterator[Finding]:
    if "papermill" in lesson.metadata:
        yield None, "the notebook carries papermill metadata"
    for cell in lesson.cells:
        if "papermill" in cell.metadata or "injected-parameters" in cell.tags:
            yield cell.index, "the cell carries papermill metadata"


def _code(lesson: Notebook) -> list[Cell]:
    return [cell for cell in lesson.cells if cell.kind == "code" and "exercise" not in cell.tags]


def _first_step(lesson: Notebook) -> int:
    return lesson.steps[0].section.index if lesson.steps else len(lesson.cells)


def _says_why(section: Section) -> bool:
    said = re.sub(r"^\*\*Objectives:\*\*.*$", "", section.lead, flags=re.MULTILINE)
    return bool(said.strip())


def _plain(cell: Cell) -> str:
    """The source, or nothing when it is not Python: that is one rule's finding, not every rule's."""
    try:
        ast.parse(cell.source)
    except SyntaxError:
        return ""
    return cell.source


def _everything(cell: Cell) -> str:
    """Source and outputs as text, images left out."""
    texts = [cell.source]
    for output in cell.outputs:
        data = {mime: data for mime, data in output["data"].items() if not mime.startswith("image/")}
        texts += [output["text"], json.dumps(data, ensure_ascii=False), *output.get("traceback", [])]
    return "\n".join(texts)
