"""What cannot be scheduled is refused in one sentence."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ragonotebooks.cli import app
from ragonotebooks.errors import UsageError

AWS = ["--account", "123456789012", "--image", "image"]
SUBNET = ["--subnet", "subnet-1"]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["cost-report", *AWS], "a task needs a subnet; give --subnet with one of"),
        (["cost-report-gcp", "--account", "papers-1", "--image", "image", *SUBNET], "needs no subnet"),
        (["cost-report", "--account", "papers-1", "--image", "image", *SUBNET], "'papers-1' is not an AWS account"),
        (["cost-report-gcp", "--account", "Papers", "--image", "image"], "'Papers' is not the id of a project"),
        (["cost-report", *AWS, *SUBNET, "--timezone", "Berlin"], "there is no time zone 'Berlin'"),
        (["cost-report", *AWS, *SUBNET, "-p", "target=sandbox"], "a schedule runs cost-report on a real cloud"),
        (["compare/aws-and-gcp", *AWS], "is on several clouds at once"),
        (["deploy-aws", *AWS, *SUBNET, "-p", "corpus=data/papers"], "'corpus' names what is on this machine"),
        (["cost-report", *AWS, *SUBNET, "-p", "nmae=x"], "has no parameter 'nmae'"),
        (["notebooks/aws/02-storage.ipynb", *AWS, *SUBNET], "knows runbooks and notebooks of the checkout by name"),
    ],
)
def test_what_cannot_run_is_refused(words: list[str], wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    done = CliRunner().invoke(app, ["schedule", *words, "--cron", "0 6 * * *"])
    assert isinstance(done.exception, UsageError)
    assert wrong in str(done.exception)
