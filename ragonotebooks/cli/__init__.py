"""The `ragonotebooks` command: one file a command, each a function that the app below registers.

A `UsageError` ends with exit code 2 and any other `RagonotebooksError` with exit code 1; both print one sentence, never
a traceback. What typer itself refuses, such as an unknown option, reads the same.
"""

import sys
from typing import NoReturn

# what others import on the off chance, and what takes a good part of the start: jsonschema checks IRIs with the first where
# JupyterLab is installed, and notebooks hold no IRIs; papermill reaches Hadoop with the second
for _unneeded in ("rfc3987_syntax", "pyarrow.fs"):
    sys.modules.setdefault(_unneeded, None)  # type: ignore[arg-type]  # None: an import of it fails

import typer
from typer.exceptions import TyperException

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
        sys.exit(app(prog_name="ragonotebooks", standalone_mode=False))
    except RagonotebooksError as error:
        _complain(str(error), error.exit_code)
    except OSError as error:
        # such as a full disk below the temporary folder: nothing that a traceback would explain
        _complain(f"{error}; see that there is room, and that its folder can be written to", 1)
    except TyperException as error:
        # without any words typer has printed the help, and has nothing more to say
        if message := error.format_message().rstrip("."):
            context = getattr(error, "ctx", None)
            message += f"; see: {context.command_path if context else 'ragonotebooks'} --help"
        _complain(message, error.exit_code)


def _complain(message: str, exit_code: int) -> NoReturn:
    if message:
        typer.echo(f"ragonotebooks: {message}", err=True)
    sys.exit(exit_code)


# Each module registers its command on the app above.
from ragonotebooks.cli import (  # noqa: F401
    approve,
    cleanup,
    lint,
    list_,
    new,
    objectives,
    rehearse,
    report,
    resume,
    run,
    runs,
    sandbox,
    schedule,
    show,
    sweep,
    test,
    verify,
)
