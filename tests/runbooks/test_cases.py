"""Every runbook has cases to be tested with, and not only of good ends."""

import pytest

from ragonotebooks.catalog import project, runbook
from ragonotebooks.trial.reading import read


@pytest.mark.parametrize("name", runbook.names())
def test_a_runbook_has_cases_and_one_of_them_ends_badly(name: str) -> None:
    cases = read(runbook.load(name)).cases
    assert len(cases) > 1
    assert any(case.status != "passed" for case in cases)


def test_there_are_no_cases_without_a_runbook() -> None:
    assert {path.name for path in project.trials().iterdir()} == {f"{name}.yaml" for name in runbook.names()}
