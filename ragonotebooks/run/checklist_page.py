"""`checklist.html`: the lines of a checklist with their verdicts, to print and to sign; needs no other file."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ragonotebooks.run import folder
from ragonotebooks.run.checklist import SIGNS, STATUS, Evidence, Judged, worst
from ragonotebooks.run.html import Markup, each, tag
from ragonotebooks.run.page import PAGE, style
from ragonotebooks.run.results import Check, Run

_PRINT = """
.line { margin-top: .9rem; border-left: 4px solid var(--tone); break-inside: avoid; }
.line header { display: flex; gap: .8rem; align-items: baseline; }
.line h2 { flex: 1; margin: 0; font-size: 1.02rem; }
.line > div { margin-top: .6rem; }
.line ul { margin: 0; padding: 0; list-style: none; }
.line li { margin-top: .15rem; }
.line .difference { margin-left: 1.5rem; overflow-wrap: anywhere; }
.signatures { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 1.4rem; margin-top: 2.6rem; break-inside: avoid; }
.signatures div { padding-top: .3rem; border-top: 1px solid var(--ink); font-size: .88rem; }
@page { size: A4; margin: 16mm; }
@media print {
  :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --passed: #1f7a4d; --failed: #b3261e; --blocked: #9a6700; }
  body { padding: 0; font-size: 10.5pt; }
  .badge { background: none; border: 1px solid var(--tone); }
}
"""


def write(run: Run, judged: Sequence[Judged], where: Path) -> Path:
    """Write the checklist of the run into its folder and return its path; raises OSError when it cannot be written."""
    path = where / "checklist.html"
    folder.write(path, render(run, judged))
    return path


def render(run: Run, judged: Sequence[Judged]) -> str:
    """The checklist as one HTML document; links to the executed notebooks are relative to the run folder."""
    parts = [_head(run, judged), *map(_line, enumerate(judged, 1)), _signatures(), _foot()]
    title = tag("", f"{run.title} · checklist")
    return PAGE.substitute(title=title, style=style() + _PRINT, body=each(parts))


def _head(run: Run, judged: Sequence[Judged]) -> Markup:
    passed = sum(one.verdict == "pass" for one in judged)
    badge = tag("span", f"{passed} of {len(judged)} lines pass", class_=f"badge {STATUS[worst(judged)]}")
    when = f" checked {run.started:%d %B %Y, %H:%M} UTC on {run.target}{_deployment(run)}"
    return tag("header", tag("h1", run.title), tag("div", badge, tag("span", when, class_="soft")))


def _deployment(run: Run) -> str:
    """Which deployment in which region, as the parameters of the notebooks say."""
    values = {name: value for one in run.notebooks for name, value in one.parameters.items()}
    return "".join(f" · {values[name]}" for name in ("name", "region") if name in values)


def _line(numbered: tuple[int, Judged]) -> Markup:
    number, line = numbered
    badge = tag("span", f"{SIGNS[line.verdict]} {line.verdict}", class_=f"badge {STATUS[line.verdict]}")
    head = tag("header", tag("h2", f"{number}. {line.title}"), badge)
    return tag("article", head, *map(_evidence, line.evidence), class_=f"card line {STATUS[line.verdict]}")


def _evidence(one: Evidence) -> Markup:
    executed = one.notebook.executed
    place = tag("a", one.place, href=executed.name) if executed else one.place
    obstacle = tag("li", f"■ {one.obstacle}", class_="blocked") if one.obstacle else ""
    return tag("div", tag("div", place, class_="soft"), tag("ul", *map(_check, one.checks), obstacle))


def _check(check: Check) -> Markup:
    if check.passed:
        return tag("li", f"✓ {check.claim}")
    is_, should = tag("code", check.actual), tag("code", check.expected)
    return tag("li", f"✗ {check.claim}", tag("div", "is ", is_, ", should be ", should, class_="difference"))


def _signatures() -> Markup:
    return tag("section", *(tag("div", text) for text in ("Decision", "Name", "Date")), class_="signatures")


def _foot() -> Markup:
    report, events = tag("a", "report.html", href="report.html"), tag("a", "events.jsonl", href="events.jsonl")
    return tag(
        "footer", f"ragonotebooks {version('ragonotebooks')} · every step is in ", report, ", every event in ", events
    )
