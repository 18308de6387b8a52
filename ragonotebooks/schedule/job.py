"""What is to be run regularly, and what a person has to know of it before."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ragonotebooks.catalog import approval
from ragonotebooks.catalog.declaration import Value
from ragonotebooks.catalog.runbook import Runbook
from ragonotebooks.catalog.values import written
from ragonotebooks.errors import UsageError
from ragonotebooks.schedule.cron import Cron

_ACCOUNTS = {
    "aws": (re.compile(r"\d{12}"), "an AWS account, 12 digits"),
    "gcp": (re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"), "the id of a project of Google Cloud"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """A runbook that a cloud runs by itself, in a container.

    values: the given parameters.
    account: the AWS account or the project, in which it runs and which it may change.
    region: where it runs.
    image: the image that holds the checkout with the package installed.
    zone: the time zone of `cron`, by its name, such as `Europe/Berlin`.
    """

    runbook: Runbook
    values: dict[str, Value]
    account: str
    region: str
    image: str
    cron: Cron
    zone: str

    @property
    def name(self) -> str:
        """What the things that are made are called."""
        return f"ragonotebooks-{self.runbook.name.replace('/', '-')}"

    @property
    def command(self) -> list[str]:
        """The words that the container runs; the consent is given with them."""
        given = {"target": "cloud"} | self.values
        options = [word for name, value in given.items() for word in ("-p", f"{name}={written(value)}")]
        return ["ragonotebooks", "run", self.runbook.name, *options, "--yes", "--account", self.account]

    @property
    def remarks(self) -> Iterator[str]:
        """What a person has to know, a sentence each."""
        yield f"{shlex.join(self.command)}: at {self.cron.text} ({self.zone}), in {self.image}."
        yield "The image holds a checkout of the project, with the package installed in it."
        yield "Its evidence is what it prints, which is logged; its run folder goes with the container."
        yield "Two of its runs, or one and yours, do not see each other's locks: leave time between them."
        for notebook in self.runbook.notebooks:
            for section in notebook.sections:
                if approval.of(section):
                    yield f"It never gets past {notebook.key}, {section.title}: a person has to approve it, exit code 3."


def check(job: Job) -> None:
    """Raise a UsageError when the job could not run: nothing of this machine is there, and it is for a real account."""
    book = job.runbook
    if book.cloud not in _ACCOUNTS:
        raise UsageError(
            f"{book.name} is on several clouds at once, and a schedule on one of them; schedule another one"
        )
    pattern, words = _ACCOUNTS[book.cloud]
    if not pattern.fullmatch(job.account):
        raise UsageError(f"'{job.account}' is not {words}; give it with --account")
    try:
        ZoneInfo(job.zone)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"there is no time zone '{job.zone}'; give one such as Europe/Berlin") from None
    if "target" not in {one.name for one in book.parameters} or job.values.get("target") == "sandbox":
        raise UsageError(f"a schedule runs {book.name} on a real cloud, and there is no target=cloud; run it by hand")
    for one in book.parameters:
        value = str(job.values.get(one.name, ""))
        if (value and one.form.meaning == "corpus") or (one.form.meaning == "secret" and _is_here(value)):
            raise UsageError(f"parameter '{one.name}' names what is on this machine; give what is in the cloud")


def _is_here(reference: str) -> bool:
    return reference.startswith(("env:", "file:"))
