"""Every runbook has cases to be tested with, good ends and bad ones."""

import pytest

from ragonotebooks.catalog import project, runbook
from ragonotebooks.trial.reading import read


@pytest.mark.parametrize("name", runbook.names())
def test_a_runbook_has_cases_that_pass_and_cases_that_do_not(name: str) -> None:
    passes = [case.status == "passed" for case in read(runbook.load(name)).cases]
    assert any(passes)
    assert not all(passes)


def test_there_are_no_cases_without_a_runbook() -> None:
    assert sorted(path.stem for path in project.trials().iterdir()) == runbook.names()
