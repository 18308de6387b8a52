"""A small checkout to test with: one lesson that keeps every rule, and the means to spoil it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ragonotebooks.catalog.evidence import CHECK_MIME, PRICE_MIME

TOP = """\
# AWS 02 · The shelf

Papers need a shelf. Here you build one and close it.

**15 minutes · creates a shelf · about $0.03 a month · needs [01 · Floor](01-floor.ipynb)**
"""

LEARN = """\
## What you will learn

- why a shelf is closed.

```mermaid
flowchart LR
  you --> shelf
```
"""

PARAMETERS = """\
from ragonotebooks import Between, Corpus, Region, Target

target: Target = "sandbox"          # "sandbox", or "cloud" for a real account
region: Region = "us-east-1"        # an AWS region
copies: Between[1, 9] = 2           # how many of each paper
share: Between[0.0, 1.0] = 1        # which share of the papers
dry: bool = False                   # whether nothing is shelved
corpus: Corpus = "data/papers"      # a folder of papers, größer als groß
"""

STEP_1 = """\
## 1 · One shelf

A shelf with a name can be found again.

**Objectives:** DEA-C01 2.1 · SAA-C03 3.1
"""

STEP_2 = """\
## 2 · The shelf is closed

Nobody takes a paper by mistake.

**Objectives:** DEA-C01 4.1
"""

TRY = """\
## Try it yourself

Close it twice.
"""

QUIZ = """\
**Question.** Who can open the shelf?

<details><summary>Answer</summary>Nobody.</details>
"""


def check_output(claim: str, passed: bool = True) -> Any:
    record = {"claim": claim, "passed": passed, "expected": "True", "actual": str(passed)}
    return new_output("display_data", data={"text/plain": f"✓ {claim}", CHECK_MIME: record})


def price_output() -> Any:
    line = {"service": "S3", "item": "Shelf", "unit": "GB-month", "usd": 0.023, "quantity": 1, "month": 0.023}
    return new_output("display_data", data={PRICE_MIME: {"lines": [line], "month": 0.023}})


def code(source: str, *tags: str, outputs: tuple[Any, ...] = (), executed: bool = True) -> Any:
    cell = new_code_cell(source, outputs=list(outputs), execution_count=1 if executed else None)
    if tags:
        cell.metadata["tags"] = list(tags)
    return cell


def good_lesson() -> Any:
    return new_notebook(
        cells=[
            new_markdown_cell(TOP),
            new_markdown_cell(LEARN),
            new_markdown_cell("## Parameters"),
            code(PARAMETERS, "parameters"),
            code('lab = connect("aws", target=target, region=region)'),
            new_markdown_cell(STEP_1),
            code("shelf = find(lab.name)", "look"),
            code("if not shelf:\n    made = make(lab.name)", "change"),
            code('check("the shelf is there", find(lab.name))', "check", outputs=(check_output("the shelf is there"),)),
            new_markdown_cell(STEP_2),
            code("close(shelf)", "change"),
            code(
                'check("the shelf is closed", closed(shelf))', "check", outputs=(check_output("the shelf is closed"),)
            ),
            new_markdown_cell("## See it work\n\nEvery paper on the shelf."),
            code("[paper for paper in shelf]", "look"),
            new_markdown_cell("## In the real cloud\n\nWood costs more."),
            code('show_price("aws", {})', "look", outputs=(price_output(),)),
            new_markdown_cell(TRY),
            code("close(shelf)", "exercise", "skip-execution", "nbval-skip", executed=False),
            new_markdown_cell(QUIZ),
            new_markdown_cell("## Clean up\n\nThe shelf stays."),
        ]
    )


def write(checkout: Path, key: str, stored: Any) -> Path:
    path = checkout / "notebooks" / f"{key}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(stored, path)
    return path


def write_good(checkout: Path, spoil: Callable[[Any], object] = lambda stored: None) -> Path:
    """The good lesson `aws/02-shelf` and the `aws/01-floor` that it needs; `spoil` changes the former first."""
    floor = good_lesson()
    floor.cells[0].source = TOP.replace("02 · The shelf", "01 · The floor").replace(
        "needs [01 · Floor](01-floor.ipynb)", "needs nothing"
    )
    write(checkout, "aws/01-floor", floor)
    stored = good_lesson()
    spoil(stored)
    return write(checkout, "aws/02-shelf", stored)


def write_runbook(checkout: Path, name: str, text: str) -> Path:
    path = checkout / "runbooks" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


RUNBOOK = """\
title: Build the shelf
cloud: aws
purpose: A floor, then a shelf on it.
notebooks: [aws/01-floor, aws/02-shelf]
"""
