"""`ragonotebooks sweep`: what is refused before anything is looked at."""

import pytest
from typer.testing import CliRunner

from ragonotebooks.cli import app


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--older-than", "8"], "--older-than 8 is no age; give minutes, hours or days, such as 90m, 8h or 2d"),
        (["--older-than", "-1h"], "--older-than -1h is no age"),
        (["--older-than", "8h", "--name", "absent"], "no sandbox called absent runs"),
        (
            ["--older-than", "8h", "--target", "cloud", "--yes"],
            "--yes deletes in a real account: name the one you mean",
        ),
        (["--older-than", "8h", "--region", "eu-central-11"], "did you mean 'eu-central-1'?"),
        (
            ["--older-than", "8h", "--target", "cloud", "--yes", "--cloud", "gcp"],
            "--yes deletes in a real project: name the one you mean with --account",
        ),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], said: str) -> None:
    refused = CliRunner().invoke(app, ["sweep", *words]).exception
    assert said in str(refused)


def test_there_is_no_age_unless_it_is_given() -> None:
    assert CliRunner().invoke(app, ["sweep"]).exit_code == 2
