"""Connections to the database that are kept open and shared by a server's threads. They read, and cannot write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue
from typing import TypeVar

import psycopg

from .settings import Database
from .store import Store, open_connection

SIZE = 4  # more than two cores can keep busy; a small RDS instance admits about 80 connections in all
WAIT_SECONDS = 5
_OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=5s"

Result = TypeVar("Result")


class BusyError(Exception):
    """Every connection was taken for longer than a client should wait."""


class Pool:
    """A fixed number of connections, each opened when it is first needed and again after it broke.

    Once open they stay so, and go on working while the password of their user is changed.
    """

    def __init__(self, database: Database) -> None:
        self._all = [_Connection(database) for _ in range(SIZE)]
        self._free: LifoQueue[_Connection] = LifoQueue()  # the one that was used last is the warmest
        for connection in self._all:
            self._free.put(connection)

    def run(self, work: Callable[[Store], Result]) -> Result:
        """What `work` returns, which is asked twice when a kept connection turns out to be broken.

        Raises BusyError, and psycopg.OperationalError when the database cannot be reached.
        """
        with self._borrowed() as connection:
            return connection.run(work)

    def open(self) -> None:
        """Open every connection before anybody waits for it."""
        for connection in self._all:
            connection.open()

    def close(self) -> None:
        for connection in self._all:
            connection.close()

    @contextmanager
    def _borrowed(self) -> Iterator["_Connection"]:
        try:
            connection = self._free.get(timeout=WAIT_SECONDS)
        except Empty:
            raise BusyError(f"All {SIZE} connections to the database were busy for {WAIT_SECONDS} s.") from None
        try:
            yield connection
        finally:
            self._free.put(connection)


class _Connection:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: psycopg.Connection | None = None

    def run(self, work: Callable[[Store], Result]) -> Result:
        if self._open is not None:
            try:
                return work(Store(self._open))
            except psycopg.OperationalError:
                if not self._open.closed:
                    raise
        return work(Store(self.open()))

    def open(self) -> psycopg.Connection:
        self.close()
        connection = open_connection(self._database, _OPTIONS, autocommit=True)
        try:
            Store(connection).require_schema()
        except BaseException:
            connection.close()
            raise
        self._open = connection
        return connection

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
