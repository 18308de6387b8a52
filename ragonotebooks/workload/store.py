"""The database: papers and their passages in Postgres with pgvector, through plain SQL.

A connection is one transaction: it commits when its block ends well and leaves no trace otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, LiteralString

import numpy as np
import psycopg

from .chunks import Passage
from .embeddings import DIMENSION, Vectors
from .errors import InputError
from .records import Paper
from .settings import Database

CONNECT_SECONDS = 10  # a security group drops packets silently; libpq would wait for minutes
CANDIDATES = 40  # an HNSW scan visits 40 candidates (hnsw.ef_search's default) and returns no more

_LOCK = 5_706_117_338  # any number that only this application uses
_MIGRATIONS = {int(path.name[:4]): path for path in sorted((Path(__file__).parent / "schema").glob("*.sql"))}
_PASSAGE: LiteralString = "paper_id, position, text, title, authors, year, venue"
_JOINED: LiteralString = "passages JOIN papers ON papers.id = passages.paper_id"


@dataclass(frozen=True)
class Source:
    """Where a paper came from: the corpus object's key, its bytes' SHA-256, and how its passages were made."""

    key: str
    sha256: str
    recipe: str


@contextmanager
def connect(database: Database) -> Iterator["Store"]:
    """A store on the database, in one transaction. Raises psycopg.OperationalError when it cannot be reached."""
    with psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
        sslmode=database.sslmode,
        connect_timeout=CONNECT_SECONDS,
        application_name="ragonometrics",
    ) as connection:
        yield Store(connection)


class Store:
    """Papers, passages and vectors inside one transaction."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Wait until no other job writes, and keep others waiting until this transaction ends."""
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])

    def migrate(self) -> list[str]:
        """Bring the schema up to date; the names of the migrations that were still missing."""
        self.lock()
        self._connection.execute("SET LOCAL client_min_messages = warning")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version "
            "(version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        missing = {version: path for version, path in _MIGRATIONS.items() if version > self._version()}
        for version, path in missing.items():
            self._connection.execute(path.read_bytes())
            self._connection.execute("INSERT INTO schema_version (version) VALUES (%s)", [version])
        return [path.stem for path in missing.values()]

    def require_schema(self) -> None:
        """Raises InputError unless the schema is the one that this code knows."""
        there = self._scalar("SELECT to_regclass('schema_version') IS NOT NULL")
        version, known = self._version() if there else 0, max(_MIGRATIONS)
        if version < known:
            raise InputError(
                f"The database's schema is version {version} and version {known} is needed: "
                "run python -m workload.migrate first."
            )
        if version > known:
            raise InputError(
                f"The database's schema is version {version} and this image knows {known}: run a newer image."
            )

    def known(self) -> dict[Source, str]:
        """The ids of the papers that are indexed, by where they came from."""
        rows = self._connection.execute("SELECT key, sha256, recipe, id FROM papers")
        return {Source(key, sha256, recipe): paper for key, sha256, recipe, paper in rows}

    def put(self, papers: Iterable[tuple[Source, Paper]], passages: Sequence[Passage], vectors: Vectors) -> None:
        """Insert or replace papers with all of their passages; row i of `vectors` belongs to passage i."""
        rows = [asdict(source) | asdict(paper) for source, paper in papers]
        for row in rows:
            row |= {"authors": list(row["authors"]), "jel": list(row["jel"])}
        with self._connection.cursor() as cursor:
            cursor.execute("DELETE FROM papers WHERE id = ANY(%s)", [[row["id"] for row in rows]])
            cursor.executemany(
                "INSERT INTO papers (id, key, sha256, recipe, title, authors, year, venue, jel, doi) VALUES (%(id)s, "
                "%(key)s, %(sha256)s, %(recipe)s, %(title)s, %(authors)s, %(year)s, %(venue)s, %(jel)s, %(doi)s)",
                rows,
            )
            cursor.executemany(
                "INSERT INTO passages (paper_id, position, text, embedding, words) "
                "VALUES (%s, %s, %s, %s::vector, to_tsvector('english', %s))",
                [
                    (passage.paper, passage.position, passage.text, _vector(vector), passage.searchable)
                    for passage, vector in zip(passages, vectors, strict=True)
                ],
            )

    def keep_only(self, papers: Iterable[str]) -> int:
        """Delete every paper whose id is not among `papers`; how many went."""
        return self._connection.execute("DELETE FROM papers WHERE id <> ALL(%s)", [list(papers)]).rowcount

    def passages(self) -> tuple[list[Passage], Vectors]:
        """Every passage in order of paper and position, and the vectors, bit by bit as they were put in."""
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(f"SELECT {_PASSAGE}, embedding FROM {_JOINED} ORDER BY paper_id, position")
            rows = cursor.fetchall()
        # pgvector's binary form: the dimension and a zero, two bytes each, then big-endian floats
        vectors = [np.frombuffer(row[-1], ">f4", offset=4) for row in rows]
        matrix = np.array(vectors, np.float32).reshape(len(rows), DIMENSION)
        return [_passage(row[:-1]) for row in rows], matrix

    def nearest(self, vector: Vectors, limit: int = CANDIDATES) -> list[Passage]:
        """The passages whose vectors have the smallest cosine distance to `vector`, nearest first."""
        rows = self._connection.execute(
            f"SELECT {_PASSAGE} FROM {_JOINED} ORDER BY embedding <=> %s::vector LIMIT %s", [_vector(vector), limit]
        )
        return [_passage(row) for row in rows]

    def matching(self, words: str, limit: int = CANDIDATES) -> list[Passage]:
        """The passages that share words with `words` (any of them, stemmed), the densest first."""
        # plainto_tsquery asks for all words; a question is answered by passages that hold some of them
        rows = self._connection.execute(
            f"SELECT {_PASSAGE} FROM {_JOINED}, "
            "CAST(replace(CAST(plainto_tsquery('english', %s) AS text), '&', '|') AS tsquery) AS query "
            "WHERE words @@ query ORDER BY ts_rank_cd(words, query) DESC, paper_id, position LIMIT %s",
            [words, limit],
        )
        return [_passage(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many papers and passages are indexed."""
        return {
            "papers": self._scalar("SELECT count(*) FROM papers"),
            "passages": self._scalar("SELECT count(*) FROM passages"),
        }

    def _version(self) -> int:
        return int(self._scalar("SELECT coalesce(max(version), 0) FROM schema_version"))

    def _scalar(self, query: LiteralString) -> Any:
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def _vector(vector: Vectors) -> str:
    return str(vector.tolist())


def _passage(row: Sequence[Any]) -> Passage:
    paper, position, text, title, authors, year, venue = row
    return Passage(paper, position, text, title, tuple(authors), year, venue)
