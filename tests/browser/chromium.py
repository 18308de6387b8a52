"""A browser for tests: headless Chromium as the system brings it, without a history or a network beyond this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MINUTE = 60_000  # playwright counts milliseconds
_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")


@contextmanager
def new_page(folder: Path) -> Iterator[Page]:
    """An empty page of a browser that keeps what it must in `folder`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            folder / "browser", executable_path=CHROMIUM, args=_SWITCHES, viewport={"width": 1280, "height": 900}
        )
        browser.set_default_timeout(MINUTE)
        yield browser.pages[0]
        browser.close()
