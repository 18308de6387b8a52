"""The `ragonotebooks` command: one file a command, each a function that the app below registers.

A `UsageError` ends with exit code 2 and any other `RagonotebooksError` with exit code 1; both print one sentence, never
a traceback.
"""

import sys

import typer

from ragonotebooks.errors import RagonotebooksError

app = typer.Typer(
    name="ragonotebooks",
    help="Notebooks that teach and do the deployment of Ragonometrics on AWS, on a local sandbox or for real.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        app()
    except RagonotebooksError as error:
        typer.echo(f"ragonotebooks: {error}", err=True)
        sys.exit(error.exit_code)


# Each module registers its command on the app above.
from ragonotebooks.cli import cleanup, lint, list_, objectives, run, sandbox, show, verify  # noqa: E402, F401
