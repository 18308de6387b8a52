"""`report.html`: a run on one page that needs no other file and no network, for the operator and for the teacher."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ragonotebooks.run import folder, report_facts
from ragonotebooks.run.html import Markup, each, tag
from ragonotebooks.run.page import PAGE, style
from ragonotebooks.run.progress import SIGNS
from ragonotebooks.run.report_facts import CoveredExam
from ragonotebooks.run.results import Approval, Check, Failure, Mode, NotebookRun, Run, Status, Step

FILE = "report.html"
_KINDS: dict[Mode, str] = {"run": "Run", "verify": "Verification", "rehearse": "Rehearsal"}


def write(run: Run, where: Path) -> None:
    """Write the report of the run into its folder; raises OSError when it cannot be written."""
    folder.write(where / FILE, render(run))


def render(run: Run) -> str:
    """The report as one HTML document; links to the executed notebooks are relative to the run folder."""
    parts = [_head(run), _totals(run), _problems(run), _picture(run), _steps(run), _objectives(run), _prices(run)]
    title = tag("", f"{run.title} · {run.status}")
    return PAGE.substitute(title=title, style=style(), body=each([*parts, _foot(run)]))


def _head(run: Run) -> Markup:
    eyebrow = f"{_KINDS[run.mode]} of {run.runbook} on {run.target}"
    when = f"{run.started:%d %B %Y, %H:%M} UTC" + "".join(f", resumed {one:%H:%M}" for one in run.resumed)
    line = [tag("span", _sentence(run), class_=f"badge {run.status}"), tag("span", f" {when}", class_="soft")]
    return tag("header", tag("div", eyebrow, class_="soft"), tag("h1", run.title), tag("div", *line))


def _sentence(run: Run) -> str:
    if run.status is Status.PASSED:
        return "✓ Nothing has drifted" if run.mode == "verify" else "✓ Every step passed"
    if run.status is Status.INTERRUPTED:
        return "■ Interrupted"
    if run.status is Status.WAITING:
        return "‖ Waits for an approval"
    failed = sum(step.status is Status.FAILED for _, step in run.steps)
    return f"✗ {failed} step{'s' * (failed > 1)} failed" if failed else "✗ A notebook failed"


def _totals(run: Run) -> Markup:
    steps = [step for _, step in run.steps if step.number is not None]
    checks = [check for _, step in run.steps for check in step.checks]
    month = report_facts.month(run)
    facts = {
        "Steps passed": f"{sum(step.status is Status.PASSED for step in steps)} of {len(steps)}",
        "Checks that hold": f"{sum(check.passed for check in checks)} of {len(checks)}",
        "Time": _seconds(run.seconds),
        "Price a month": f"${month:,.2f}" if month is not None else None,
    }
    tiles = (tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items() if value)
    return tag("dl", *tiles, class_="totals")


def _problems(run: Run) -> Markup:
    found = [
        _problem(notebook, step.label, step.status, failure)
        for notebook, step in run.steps
        for failure in step.failures
    ]
    found += [_problem(one, "", one.status, one.failure) for one in run.notebooks if one.failure]
    if run.waiting:
        notebook, step = run.waiting
        found.append(_problem(notebook, step.label, step.status, Failure("Waits for an approval", step.waits_for)))
    return tag("section", tag("h2", "What did not pass"), *found) if found else Markup("")


def _problem(notebook: NotebookRun, step: str, status: Status, failure: Failure) -> Markup:
    where = tag("div", notebook.key, f" · {step}" if step else "", class_="soft")
    source = tag("pre", tag("code", failure.source)) if failure.source else ""
    return tag("div", where, _said(failure), source, _link(notebook), class_=f"card problem {status}")


def _said(failure: Failure) -> Markup:
    if check := failure.check:
        facts = [("is", check.actual), ("should be", check.expected)]
        rows = (each([tag("dt", name), tag("dd", tag("code", value))]) for name, value in facts)
        return each([tag("strong", check.claim), tag("dl", *rows)])
    return tag("p", tag("strong", f"{failure.error}: "), failure.message, class_="message")


def _link(notebook: NotebookRun) -> Markup:
    return tag("a", "executed notebook", href=notebook.executed.name) if notebook.executed else Markup("")


def _picture(run: Run) -> Markup:
    """The run as a flow of notebooks; each shows its numbered steps as dots in the colour of their status."""
    boxes = (tag("li", _box(place, notebook), class_=notebook.status) for place, notebook in enumerate(run.notebooks))
    return tag("section", tag("h2", "The way it went"), tag("ol", *boxes, class_="flow"))


def _box(place: int, notebook: NotebookRun) -> Markup:
    dots = (
        tag("i", str(step.number), class_=step.status, title=f"{step.label}: {step.status}")
        for step in notebook.steps
        if step.number is not None
    )
    time = _seconds(notebook.seconds) if notebook.executed else notebook.status
    return tag(
        "a",
        tag("strong", notebook.title),
        tag("span", *dots, class_="dots"),
        tag("span", f"{SIGNS[notebook.status]} {time}", class_="soft"),
        href=f"#notebook-{place + 1}",
    )


def _steps(run: Run) -> Markup:
    notebooks = (_notebook(run, place) for place in range(len(run.notebooks)))
    return tag("section", tag("h2", "Steps and checks"), *notebooks)


def _notebook(run: Run, place: int) -> Markup:
    notebook = run.notebooks[place]
    shown = (step for step in notebook.steps if step.number is not None or step.checks or step.failures)
    facts = tag("span", notebook.key, " · ", _link(notebook) or "not executed", class_="soft")
    badge = tag("span", f"{SIGNS[notebook.status]} {notebook.status}", class_=f"badge {notebook.status}")
    head = tag("header", tag("h3", notebook.title), badge, facts)
    steps = (_step(step, run.approval(notebook.key, step.label)) for step in shown)
    return tag("article", head, *steps, class_="card notebook", id=f"notebook-{place + 1}")


def _step(step: Step, approval: Approval | None) -> Markup:
    count = f"{len(step.checks)} check{'s' * (len(step.checks) != 1)}" if step.checks else str(step.status)
    head = tag(
        "div",
        tag("span", SIGNS[step.status], class_="sign"),
        tag("span", step.label, class_="name"),
        tag("span", count, class_="count"),
        tag("span", _seconds(step.seconds) if step.seconds else "", class_="seconds"),
        class_=f"head {step.status}",
    )
    blocked = tag("p", f"Blocked by {step.blocked_by}.", class_="soft") if step.blocked_by else ""
    earlier = (
        f"Attempt {number} failed: {failure.said}"
        for number, attempt in enumerate(step.earlier, 1)
        for failure in attempt.failures
    )
    inside = [
        blocked,
        tag("p", f"Approved by {approval.by}, {approval.time:%d %B %Y, %H:%M} UTC.", class_="soft") if approval else "",
        *(tag("p", line, class_="soft") for line in earlier),
        tag("ul", *map(_check, step.checks)) if step.checks else "",
        *(_said(one) for one in step.failures if not one.check),
        _chips(step),
    ]
    return tag("div", head, tag("div", *inside, class_="inside"), class_="step")


def _check(check: Check) -> Markup:
    status = Status.PASSED if check.passed else Status.FAILED
    return tag("li", tag("span", SIGNS[status], class_="sign"), tag("span", check.claim), class_=status)


def _chips(step: Step) -> Markup:
    chips = (tag("span", str(one)) for one in step.objectives)
    return tag("div", *chips, class_="chips") if step.objectives else Markup("")


def _objectives(run: Run) -> Markup:
    exams = report_facts.covered(run)
    note = "An objective counts when a step that names it passed with at least one check."
    parts = [tag("h2", "Exam objectives proven"), tag("p", note, class_="soft"), *map(_exam, exams)]
    return tag("section", *parts) if exams else Markup("")


def _exam(exam: CoveredExam) -> Markup:
    rows = ([line.id, line.title, ", ".join(line.steps)] for line in exam.lines)
    of = f"{len(exam.lines)} of {exam.total} objectives" if exam.total else f"{len(exam.lines)} objectives"
    head = tag("h3", f"{exam.code} · {exam.name} ", tag("span", of, class_="soft"))
    return tag("div", head, _table(["Objective", "What it asks", "Proven in"], rows), class_="card exam")


def _prices(run: Run) -> Markup:
    lines = [line for notebook in run.notebooks for record in notebook.prices for line in record["lines"]]
    if not lines:
        return Markup("")
    total = ["Total", "", "", "", f"{report_facts.month(run):,.2f}"]
    table = _table(["Service", "Item", "Quantity", "$ each", "$ a month"], map(_price, lines), total, numbers=2)
    return tag("section", tag("h2", "Price of what was made"), tag("div", table, class_="card"))


def _price(line: dict[str, Any]) -> list[str]:
    quantity = f"{line['quantity']:,g} × {line['unit']}"
    return [line["service"], line["item"], quantity, f"{line['usd']:,g}", f"{line['month']:,.2f}"]


def _table(head: list[str], rows: Iterable[list[str]], foot: list[str] | None = None, numbers: int = 0) -> Markup:
    """A table whose last `numbers` columns stand on the right."""

    def row(cells: list[str], kind: str) -> Markup:
        classes = [None] * (len(cells) - numbers) + ["number"] * numbers
        return tag("tr", *(tag(kind, cell, class_=name) for cell, name in zip(cells, classes, strict=True)))

    parts = [tag("thead", row(head, "th")), tag("tbody", *(row(cells, "td") for cells in rows))]
    if foot:
        parts.append(tag("tfoot", row(foot, "td")))
    return tag("div", tag("table", *parts), class_="scroll")


def _foot(run: Run) -> Markup:
    events = tag("a", "events.jsonl", href="events.jsonl")
    return tag("footer", f"ragonotebooks {version('ragonotebooks')} · every event of this run is in ", events)


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{seconds:.1f} s"
