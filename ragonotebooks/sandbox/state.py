"""Where a sandbox lives on disk, and what its clients need to know of it. One folder a sandbox, nothing outside of it."""

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ragonotebooks.errors import UsageError

STATE_FILE = "sandbox.json"
DAEMON_LOG = "daemon.log"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
# a unix socket's path has room for 107 bytes, and the longest in a sandbox's folder is rds/0123456789/.s.PGSQL.5432
_LONGEST_FOLDER: Final = 107 - 29


@dataclass(frozen=True)
class State:
    """A running sandbox, as its daemon wrote it down when it could answer.

    Attributes:
        name: The sandbox's name.
        pid: The daemon's process id.
        port: The loopback port of the gateway.
        account: The AWS account id that the sandbox plays.
        access_key: The operator's access key id.
        secret_key: The operator's secret access key; it opens this sandbox and nothing else.
        project: The id of the Google Cloud project that the sandbox plays.
        project_number: That project's number.
        refresh_token: The operator's OAuth refresh token for it; it too opens this sandbox and nothing else.
    """

    name: str
    pid: int
    port: int
    account: str
    access_key: str
    secret_key: str
    project: str
    project_number: str
    refresh_token: str


def root() -> Path:
    """The folder that holds this user's sandboxes. It is short, because unix socket paths are."""
    return Path(tempfile.gettempdir()) / f"ragonotebooks-{os.getuid()}"


def folder_of(name: str) -> Path:
    """The folder of the sandbox called `name`.

    Raises:
        UsageError: The name cannot be a folder's name, or the path is too long for sockets in it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"the sandbox name {name!r} cannot be used; take 1 to 32 lower-case letters, digits and hyphens"
        )
    folder = root() / name
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        raise UsageError(
            f"the folder {folder} has too long a path for sockets; set TMPDIR to a shorter one, such as /tmp"
        )
    return folder


def unusable(error: OSError) -> UsageError:
    """What to tell when the folder of all sandboxes cannot be read or written."""
    return UsageError(
        f"the folder {root()} cannot be used ({error.strerror}); set TMPDIR to a folder that you can write to"
    )


def read_state(folder: Path) -> State | None:
    """Return the state that a daemon wrote into `folder`, or None when there is none.

    Raises:
        UsageError: The folder cannot be read, or another version of this package wrote into it.
    """
    try:
        fields = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(error) from error
    try:
        return State(**fields)
    except TypeError:
        raise UsageError(
            f"the sandbox {folder.name} was started by another version of ragonotebooks; "
            f"end it with: kill {fields['pid']}; rm -r {folder}"
        ) from None


def write_state(folder: Path, state: State) -> None:
    """Write `state` so that a reader sees all of it or nothing."""
    draft = folder / f".{STATE_FILE}"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(state)), encoding="utf-8")
    draft.replace(folder / STATE_FILE)
