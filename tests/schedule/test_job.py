"""The words that a scheduled container runs are such that nobody has to be asked."""

import pytest
from typer.testing import CliRunner

from ragonotebooks.catalog import runbook
from ragonotebooks.cli import app
from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.lesson import identity
from ragonotebooks.schedule import cron
from ragonotebooks.schedule.job import Job


@pytest.mark.parametrize(("name", "account"), [("scale-workers", "123456789012"), ("scale-workers-gcp", "papers-1")])
def test_the_command_agrees_to_changes_in_its_account_alone(
    name: str, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(cloud: str, meant: str) -> None:
        asked.append((cloud, meant))
        raise RagonotebooksError("the credentials are not good")

    monkeypatch.setattr(identity, "ask", ask)
    book = runbook.load(name)
    job = Job(book, {"name": "papers"}, account, "region", "image", cron.parse("0 6 * * *"), "UTC")
    program, *words = job.command
    done = CliRunner().invoke(app, words)
    assert (program, str(done.exception)) == ("ragonotebooks", "the credentials are not good")
    assert asked == [(book.cloud, account)]
