"""A run in forms for other programs: JSON for scripts, JUnit for continuous integration, Markdown for a review or a chat."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ragonotebooks.run import report, report_facts
from ragonotebooks.run.progress import SIGNS
from ragonotebooks.run.results import Failure, NotebookRun, Run, Status, Step

_NO_XML = re.compile(r"\x1b\[[0-9;]*m|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Colours of a terminal, and characters that XML 1.0 cannot hold."""


def to_json(run: Run) -> str:
    """The run as one object: status, times, and its notebooks with their parameters, steps, checks and failures."""
    return json.dumps(_run(run), ensure_ascii=False, indent=2) + "\n"


def to_junit(run: Run) -> str:
    """The run as JUnit XML: a suite a notebook, a test case a step; what is blocked, waits or is skipped counts as skipped."""
    root = Element("testsuites", name=run.runbook, time=f"{run.seconds:.3f}")
    for notebook in run.notebooks:
        suite = SubElement(root, "testsuite", name=notebook.key, time=f"{notebook.seconds:.3f}")
        suite.set("timestamp", run.started.strftime("%Y-%m-%dT%H:%M:%S"))
        for step in _told(notebook):
            _case(suite, notebook.key, step.label, step.seconds, step.failures, _why_not(step))
        if notebook.failure:
            _case(suite, notebook.key, "The notebook", 0.0, [notebook.failure])
        well = run.status in (Status.PASSED, Status.WAITING)
        if notebook is run.notebooks[-1] and not well and root.find(".//failure") is None:
            # such as an interruption between two steps: without it, all would look well
            _case(suite, run.runbook, "The run", 0.0, [Failure("Run", f"the run {run.status}")])
        cases = list(suite)
        suite.set("tests", str(len(cases)))
        suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def to_markdown(run: Run) -> str:
    """The run as a heading, a table of its steps, what did not pass, and who approved what."""
    month = report_facts.month(run)
    price = f" · ${month:,.2f} a month" if month is not None else ""
    steps = [(notebook, step) for notebook in run.notebooks for step in _told(notebook)]
    rows = [_row(notebook, step) for notebook, step in steps]
    failures = [
        f"- **{_cell(notebook.key)}, {_cell(step.label)}:** {_cell(failure.said)}"
        for notebook, step in steps
        for failure in step.failures
    ]
    failures += [f"- **{_cell(one.key)}:** {_cell(one.failure.said)}" for one in run.notebooks if one.failure]
    waiting = [
        f"- **{_cell(notebook.key)}, {_cell(step.label)}:** {_cell(_why_not(step))}"
        for notebook, step in steps
        if step.waits_for
    ]
    approvals = [
        f"- **{_cell(one.notebook)}, {_cell(one.step)}:** approved by {_cell(one.by)}, {one.time:%d %B %Y, %H:%M} UTC"
        for one in run.approvals
    ]
    parts = [
        f"## {SIGNS[run.status]} {_cell(run.title)}: {run.status}",
        f"{run.mode} of `{run.runbook}` on {run.target}, {run.started:%d %B %Y, %H:%M} UTC, {run.seconds:.1f} s{price}",
        "\n".join(["| notebook | step | status | checks | time |", "|---|---|---|---|---|", *rows]),
        "\n".join([*failures, *waiting, *approvals]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


FORMATS: dict[str, Callable[[Run], str]] = {
    "html": report.render,
    "json": to_json,
    "junit": to_junit,
    "md": to_markdown,
}
"""The forms of a report by the names that the command line gives them."""


def _run(run: Run) -> dict[str, Any]:
    facts = {"runbook": run.runbook, "title": run.title, "mode": run.mode, "target": run.target, "status": run.status}
    times = {"started": run.started.isoformat(), "resumed": [one.isoformat() for one in run.resumed]}
    total = {"seconds": round(run.seconds, 3), "exit_code": run.exit_code, "month_usd": report_facts.month(run)}
    approvals = [asdict(one) | {"time": one.time.isoformat()} for one in run.approvals]
    return (
        facts
        | times
        | total
        | {"approvals": approvals, "notebooks": [_notebook(notebook) for notebook in run.notebooks]}
    )


def _notebook(notebook: NotebookRun) -> dict[str, Any]:
    return {
        "notebook": notebook.key,
        "title": notebook.title,
        "status": notebook.status,
        "seconds": notebook.seconds,
        "executed": notebook.executed.name if notebook.executed else None,
        "parameters": notebook.parameters,
        "failure": _failure(notebook.failure) if notebook.failure else None,
        "steps": [_step(step) for step in notebook.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "step": step.number,
        "title": step.title,
        "status": step.status,
        "seconds": round(step.seconds, 3),
        "attempts": len(step.earlier) + 1,
        "objectives": [str(one) for one in step.objectives],
        "checks": [
            {"claim": one.claim, "passed": one.passed, "actual": one.actual, "expected": one.expected}
            for one in step.checks
        ],
        "failures": [_failure(one) for one in step.failures],
        "blocked_by": step.blocked_by or None,
        "waits_for": step.waits_for or None,
    }


def _failure(failure: Failure) -> dict[str, str]:
    return {"error": failure.error, "message": failure.message, "source": failure.source}


def _told(notebook: NotebookRun) -> list[Step]:
    """The steps, and of the other sections those that found something."""
    return [step for step in notebook.steps if step.number is not None or step.checks or step.failures]


def _case(suite: Element, notebook: str, name: str, seconds: float, failures: list[Failure], skipped: str = "") -> None:
    case = SubElement(suite, "testcase", classname=notebook, name=_NO_XML.sub("", name), time=f"{seconds:.3f}")
    for failure in failures:
        message = _NO_XML.sub("", failure.said)
        SubElement(case, "failure", type=failure.error, message=message).text = _NO_XML.sub("", failure.source)
    if skipped:
        SubElement(case, "skipped", message=_NO_XML.sub("", skipped))


def _why_not(step: Step) -> str:
    """Why a step was not executed; empty for one that was."""
    if step.waits_for:
        return f"waits for an approval: {step.waits_for}"
    if step.status in (Status.BLOCKED, Status.SKIPPED):
        return f"blocked by {step.blocked_by}" if step.blocked_by else str(step.status)
    return ""


def _row(notebook: NotebookRun, step: Step) -> str:
    held = sum(check.passed for check in step.checks)
    checks = f"{held} of {len(step.checks)}" if step.checks else ""
    cells = [notebook.key, step.label, f"{SIGNS[step.status]} {step.status}", checks, f"{step.seconds:.1f} s"]
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """The first line of a text as Markdown that says it and nothing else, such as in a cell of a table."""
    first = _NO_XML.sub("", text).strip().partition("\n")[0]
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", first)
