"""What the measurements share: a sandbox, its clients, programs that are run, and how a figure is printed."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from ragonotebooks.sandbox import client

RUNS = 5
COMMAND = [sys.executable, "-m", "ragonotebooks"]


def enter(name: str) -> None:
    """Put this process into the environment of a sandbox, which is started when it does not run."""
    state = client.up(name)
    for variable in client.FOREIGN_VARIABLES:
        os.environ.pop(variable, None)
    os.environ |= client.environment(state)


def aws(service: str, name: str) -> Any:
    """A client of a sandbox, which is started when it does not run."""
    enter(name)
    return boto3.Session().client(service)


@contextmanager
def sandbox() -> Iterator[str]:
    """A sandbox of its own."""
    name = f"bench-{secrets.token_hex(3)}"
    client.up(name)
    try:
        yield name
    finally:
        client.down(name)


def run(*words: str) -> str:
    """Run a program to its end and return what it printed."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def seconds(work: Callable[..., object], *arguments: Any) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def report(what: str, value: float, unit: str, at_most: float | None = None, at_least: float | None = None) -> None:
    """Print one figure beside its limit."""
    missed = (at_most is not None and value > at_most) or (at_least is not None and value < at_least)
    limit = f"at most {at_most:g}" if at_most is not None else f"at least {at_least:g}"
    sys.stdout.write(f"{what:<66} {value:8.2f} {unit:<2} ({limit}){'   missed' if missed else ''}\n")
    sys.stdout.flush()
