"""Which tests start first where several processes share them, each file's together: those that take longest."""

import pytest

LONGEST_FIRST = (
    "tests/runbooks/test_day_two.py",
    "tests/notebooks/test_lessons.py",
    "tests/notebooks/test_deployment_checklist.py",
    "tests/deployment/test_services.py",
    "tests/notebooks/test_teardown_and_costs.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files that take longest first where several processes share the tests; one process keeps the order."""
    if hasattr(config, "workerinput"):
        rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))
