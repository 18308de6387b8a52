"""A lesson in JupyterLab, as a learner meets it: opened in a browser, and run with *Run All Cells*."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect

from ragonotebooks.catalog import project
from ragonotebooks.catalog.evidence import CHECK_MIME
from ragonotebooks.sandbox import client
from tests.browser.chromium import MINUTE, needs_chromium, new_page

LESSON = project.notebooks() / "aws" / "01-network.ipynb"
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells in the page, not only those in view
    "apputils-extension/notification": {"fetchNews": "false"},  # no question in front of the notebook
}

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a JupyterLab shows a copy of the lesson without outputs. Its settings and its sandbox are its own."""
    folder = tmp_path_factory.mktemp("jupyterlab")
    _copy_without_outputs(folder)
    for plugin, settings in SETTINGS.items():
        file = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings))
    own = {f"JUPYTER_{kind.upper()}_DIR": str(folder / kind) for kind in ("config", "data", "runtime")}
    sandbox = f"test-{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--ip=127.0.0.1", "--port=0"]
    with (folder / "server.log").open("wb") as log:
        environment = {**os.environ, **own, "IPYTHONDIR": str(folder / "ipython"), "RAGONOTEBOOKS_SANDBOX": sandbox}
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield _address(server, folder)
    finally:
        server.terminate()
        server.wait()
        client.down(sandbox)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with new_page(tmp_path) as page:
        yield page


def test_a_lesson_shows_its_picture_and_run_all_cells_passes_every_check(address: str, page: Page) -> None:
    page.goto(address)
    expect(page.locator(".jp-RenderedMermaid img")).to_be_visible(timeout=MINUTE)
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    expect(prompts).to_have_count(sum(cell.cell_type == "code" for cell in _lesson().cells), timeout=MINUTE)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=MINUTE)

    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(prompts.first).to_have_text("[1]:", timeout=MINUTE)
    expect(prompts.filter(has_text="[*]")).to_have_count(0, timeout=2 * MINUTE)

    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []
    assert prompts.filter(has_text=re.compile(r"^\[ ?\]:")).count() == 0
    lines = page.locator(".jp-OutputArea-output").all_inner_texts()
    assert [claim for claim in _claims() if f"✓ {claim}" not in lines] == []


def _lesson() -> nbformat.NotebookNode:
    return nbformat.read(LESSON, as_version=4)


def _claims() -> list[str]:
    """What the lesson proves, by the records that are committed with it."""
    outputs = [output for cell in _lesson().cells for output in cell.get("outputs", [])]
    return [output.data[CHECK_MIME]["claim"] for output in outputs if CHECK_MIME in output.get("data", {})]


def _copy_without_outputs(folder: Path) -> None:
    lesson = _lesson()
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    nbformat.write(lesson, folder / LESSON.name)


def _address(server: "subprocess.Popen[bytes]", folder: Path) -> str:
    """The server writes down where it answers, and to whom."""
    record = folder / "runtime" / f"jpserver-{server.pid}.json"
    while not record.exists():
        assert server.poll() is None, (folder / "server.log").read_text()
        time.sleep(0.1)
    where = json.loads(record.read_text())
    return f"{where['url']}lab/tree/{LESSON.name}?token={where['token']}"
