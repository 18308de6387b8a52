"""A browser on the UI of the services that a module tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import new_page
from tests.deployment.services import Services


@pytest.fixture
def page(services: Services, tmp_path: Path) -> Iterator[Page]:
    """The UI in a browser."""
    with new_page(tmp_path) as page:
        page.goto(services.page)
        yield page
