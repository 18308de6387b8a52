"""How the tests are spread over processes: a file's tests stay together, and those that take longest start first."""

import pytest

LONGEST_FIRST = (
    "tests/runbooks/test_day_two.py",
    "tests/notebooks/test_lessons.py",
    "tests/notebooks/test_deployment_checklist.py",
    "tests/deployment/test_services.py",
    "tests/notebooks/test_teardown_and_costs.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make each file a group of pytest-xdist, and put the longest first; without it nothing changes."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    last = len(LONGEST_FIRST)
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], last))
