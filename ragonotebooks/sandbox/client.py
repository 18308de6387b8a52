"""The sandbox from outside: start it, find it, stop it, and the environment with which any program works on it."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.authority import BUNDLE_FILE
from ragonotebooks.sandbox.gcp.identity import ADC_FILE, BOTO_FILE
from ragonotebooks.sandbox.state import DAEMON_LOG, State, folder_of, read_state, root, unusable

_START_LIMIT: Final = 30.0
_STOP_LIMIT: Final = 30.0
_PASSED: Final = "passed"

# the variables that name trusted certificates to gRPC, discovery clients and the gcloud command line
_OF_GOOGLE: Final = ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "HTTPLIB2_CA_CERTS", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE")

#: What would lead a client past the sandbox, or to another identity: unset in a sandboxed environment.
FOREIGN_VARIABLES: Final = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "ALL_PROXY",
    "all_proxy",
    "grpc_proxy",
    "no_grpc_proxy",
    "STORAGE_EMULATOR_HOST",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "GCE_METADATA_ROOT",
    "GOOGLE_API_USE_CLIENT_CERTIFICATE",
    "GOOGLE_API_USE_MTLS_ENDPOINT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
    "GOOGLE_CREDENTIALS",
    "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE",
    "CLOUDSDK_PROXY_ADDRESS",
    "CLOUDSDK_PROXY_PORT",
    "CLOUDSDK_PROXY_TYPE",
)


def up(name: str) -> State:
    """Return the running sandbox called `name`; start it when it does not run.

    Raises:
        UsageError: The name or the sandbox's folder cannot be used.
        RagonotebooksError: The daemon did not start.
    """
    folder = folder_of(name)
    with _locked():
        state = find(name)
        return state or _start(name, folder)


def find(name: str) -> State | None:
    """Return the sandbox called `name` when its daemon runs, else None."""
    state = read_state(folder_of(name))
    return state if state and _is_daemon(state.pid, name) else None


def down(name: str) -> bool:
    """Stop the sandbox and remove its folder; return whether there was anything to remove."""
    folder = folder_of(name)
    with _locked():
        state = find(name)
        if state:
            os.kill(state.pid, signal.SIGTERM)
            _wait_for_end(state, name)
        existed = folder.exists()
        _remove(folder)
    with contextlib.suppress(OSError):
        root().rmdir()
    return existed


def names() -> list[str]:
    """The names of the sandboxes that have a folder, running or not."""
    try:
        return sorted(entry.name for entry in root().iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unusable(error) from error


def environment(state: State, region: str = "us-east-1") -> dict[str, str]:
    """Return the variables with which any client, in any language, works on the sandbox and on nothing else."""
    proxy = f"http://127.0.0.1:{state.port}"
    bundle = str(folder_of(state.name) / BUNDLE_FILE)
    direct = "127.0.0.0/8,127.0.0.1,localhost,::1"
    certificates = (
        "AWS_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "CURL_CA_BUNDLE",
        "PGSSLROOTCERT",
        *_OF_GOOGLE,
    )
    return {
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), direct),
        **dict.fromkeys(certificates, bundle),
        "AWS_ACCESS_KEY_ID": state.access_key,
        "AWS_SECRET_ACCESS_KEY": state.secret_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        # AWS_ENDPOINT_URL_S3 and the like, one a service
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        # a person's own profiles may name another endpoint or role
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **_google(state),
        "RAGONOTEBOOKS_SANDBOX": state.name,
    }


def _google(state: State) -> dict[str, str]:
    folder = folder_of(state.name)
    credentials = str(folder / ADC_FILE)
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": credentials,
        "GOOGLE_CLOUD_PROJECT": state.project,
        # no client looks for the metadata service of a machine in the cloud
        "NO_GCE_CHECK": "true",
        # gcloud and gsutil keep a person's own accounts elsewhere, and must not find them
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "CLOUDSDK_CORE_PROJECT": state.project,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": credentials,
        "BOTO_CONFIG": str(folder / BOTO_FILE),
    }


def mark_passed(name: str, notebook: str, parameters: Mapping[str, Any]) -> None:
    """Remember, for as long as the sandbox lives, that `notebook` passed with `parameters`."""
    folder = folder_of(name) / _PASSED
    folder.mkdir(exist_ok=True)
    (folder / f"{notebook.replace('/', '-')}.json").write_text(json.dumps(dict(parameters)), encoding="utf-8")


def passed(name: str, notebook: str, parameters: Mapping[str, Any]) -> bool:
    """Whether `notebook` passed in this sandbox with values that agree with `parameters` where both have one."""
    try:
        then = json.loads(
            (folder_of(name) / _PASSED / f"{notebook.replace('/', '-')}.json").read_text(encoding="utf-8")
        )
    except FileNotFoundError:
        return False
    return all(then[key] == value for key, value in parameters.items() if key in then)


def forget_passed(name: str) -> None:
    """Forget what passed in this sandbox, because what it made is gone."""
    shutil.rmtree(folder_of(name) / _PASSED, ignore_errors=True)


def _start(name: str, folder: Path) -> State:
    try:
        _remove(folder)  # what a killed daemon left
        folder.mkdir(mode=0o711, parents=True)
    except OSError as error:
        raise unusable(error) from error
    with (folder / DAEMON_LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ragonotebooks.sandbox.daemon", name, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
            env=_plain_environment(),
        )
    deadline = time.monotonic() + _START_LIMIT
    try:
        while time.monotonic() < deadline and process.poll() is None:
            if state := read_state(folder):
                return state
            time.sleep(0.01)
    except BaseException:
        process.kill()
        raise
    process.kill()
    lines = (folder / DAEMON_LOG).read_text(errors="replace").strip().splitlines() or ["it left no word in its log"]
    raise RagonotebooksError(f"the sandbox {name} did not start: {lines[-1]}; its log is {folder / DAEMON_LOG}")


def _plain_environment() -> dict[str, str]:
    """The daemon's own environment: it is no client of any cloud, nor of another sandbox."""
    unwanted = {*FOREIGN_VARIABLES, "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "RAGONOTEBOOKS_SANDBOX"}
    kept = {
        key: value for key, value in os.environ.items() if key not in unwanted and not key.startswith(("AWS_", "MOTO_"))
    }
    # its many threads would each keep memory of their own that is free: 40 MB more after an index on AWS
    return {"MALLOC_ARENA_MAX": "2", **kept}


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One start or stop at a time: the lock is the folder of all sandboxes itself, so it leaves no file."""
    try:
        root().mkdir(mode=0o711, exist_ok=True)
        handle = os.open(root(), os.O_RDONLY)
    except OSError as error:
        raise unusable(error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_daemon(pid: int, name: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"ragonotebooks.sandbox.daemon" in words and name.encode() in words


def _wait_for_end(state: State, name: str) -> None:
    deadline = time.monotonic() + _STOP_LIMIT
    while _is_daemon(state.pid, name):
        if time.monotonic() > deadline:
            # its watcher ends what it started
            os.kill(state.pid, signal.SIGKILL)
            deadline = time.monotonic() + _STOP_LIMIT
        time.sleep(0.01)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
