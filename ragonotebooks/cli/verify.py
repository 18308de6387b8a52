"""`ragonotebooks verify`: read what is there and name every drift, without changing anything."""

from ragonotebooks.cli import app
from ragonotebooks.cli.run import Out, Parameters, ParamsFile, Sandbox, What, execute, given


@app.command()
def verify(
    runbook: What,
    parameter: Parameters = None,
    params: ParamsFile = None,
    name: Sandbox = "default",
    out: Out = None,
) -> None:
    """Check what a runbook made, without its change cells; go on behind a failure, so that every drift is named.

    Exit code 0: nothing has drifted; 1: something has; 2: wrong input; 130: interrupted.
    """
    execute("verify", runbook, given(parameter, params), name, out)
