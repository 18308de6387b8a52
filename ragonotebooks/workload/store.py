"""The database: papers and their passages in Postgres with pgvector, through plain SQL.

A connection is one transaction: it commits when its block ends well and leaves no trace otherwise.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg.rows import dict_row

from .chunks import Passage
from .embeddings import DIMENSION, Vectors
from .errors import InputError
from .ranking import K
from .records import Paper
from .settings import Database

CONNECT_SECONDS = 10  # a security group drops packets silently; libpq would wait for minutes
CANDIDATES = 40  # how many passages each of the two orders of a search holds
VISITED = 100  # hnsw.ef_search: above its default of 40, more of the true neighbours are found, in more time

_LOCK = 5_706_117_338  # any number that only this application uses
_MIGRATIONS = {int(path.name[:4]): path for path in sorted((Path(__file__).parent / "schema").glob("*.sql"))}
_PASSAGE: LiteralString = "paper_id, position, text, title, authors, year, venue"
_JOINED: LiteralString = "passages JOIN papers ON papers.id = passages.paper_id"

# plainto_tsquery asks for all words; a question is answered by passages that hold some of them. Of equal scores, the
# passage that is nearer in meaning comes first, as in ranking.fuse.
_SEARCH: LiteralString = f"""
WITH by_meaning AS (
    SELECT paper_id, position, row_number() OVER (ORDER BY distance) AS rank
    FROM (SELECT paper_id, position, embedding <=> %(vector)s::vector AS distance
          FROM passages ORDER BY distance LIMIT %(candidates)s) AS near
), by_words AS (
    SELECT paper_id, position, row_number() OVER (ORDER BY density DESC, paper_id, position) AS rank
    FROM (SELECT paper_id, position, ts_rank_cd(words, query) AS density
          FROM passages, CAST(replace(CAST(plainto_tsquery('english', %(words)s) AS text), '&', '|') AS tsquery) AS query
          WHERE words @@ query ORDER BY density DESC, paper_id, position LIMIT %(candidates)s) AS dense
), fused AS (
    SELECT paper_id, position, by_meaning.rank AS near, by_words.rank AS dense,
        coalesce(1 / (%(k)s + by_meaning.rank)::float8, 0) + coalesce(1 / (%(k)s + by_words.rank)::float8, 0) AS score
    FROM by_meaning FULL JOIN by_words USING (paper_id, position)
    ORDER BY score DESC, near, dense LIMIT %(top)s
)
SELECT {_PASSAGE}, score
FROM fused JOIN passages USING (paper_id, position) JOIN papers ON papers.id = paper_id
ORDER BY score DESC, near, dense
"""


@dataclass(frozen=True)
class Source:
    """Where a paper came from: the corpus object's key, its bytes' SHA-256, and how its passages were made."""

    key: str
    sha256: str
    recipe: str


@dataclass(frozen=True)
class Hit:
    """A passage and its score: reciprocal ranks by meaning and by words, added up (0.033 is the most)."""

    passage: Passage
    score: float


@contextmanager
def connect(database: Database) -> Iterator["Store"]:
    """A store on the database, in one transaction. Raises psycopg.OperationalError when it cannot be reached."""
    with open_connection(database) as connection:
        yield Store(connection)


def open_connection(database: Database, options: str = "", autocommit: bool = False) -> psycopg.Connection:
    """A connection to the database; `options` are more settings of the session, as `-c name=value`."""
    return psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
        sslmode=database.sslmode,
        connect_timeout=CONNECT_SECONDS,
        options=f"-c hnsw.ef_search={VISITED} {options}",
        application_name="ragonometrics",
        autocommit=autocommit,
    )


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

    def search(self, vector: Vectors, words: str, top: int) -> list[Hit]:
        """The `top` passages for a question, given as its vector and its words, best first.

        Two orders are fused: the smallest cosine distance to `vector`, and the densest in `words` (any of them,
        stemmed). One statement does it all, since every round trip to the database costs a query's time.
        """
        values = {"vector": _vector(vector), "words": words, "candidates": CANDIDATES, "k": K, "top": top}
        rows = self._connection.execute(_SEARCH, values)
        return [Hit(_passage(row[:-1]), row[-1]) for row in rows]

    def nearest(self, vector: Vectors, top: int) -> list[str]:
        """The ids of the passages with the smallest cosine distance to `vector`, nearest first."""
        rows = self._connection.execute(
            "SELECT paper_id || '#' || position FROM passages ORDER BY embedding <=> %s::vector LIMIT %s",
            [_vector(vector), top],
        )
        return [passage for (passage,) in rows]

    def without_index(self) -> None:
        """Until this transaction ends, compare every vector: exact, and the slower the more there are."""
        self._connection.execute("SET LOCAL enable_indexscan = off")

    def papers(self, limit: int | None, after: str = "") -> list[dict[str, Any]]:
        """Indexed papers whose ids come after `after`, in order of id, each with its number of passages."""
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                "SELECT id, title, authors, year, venue, jel, doi, indexed_at, "
                "(SELECT count(*) FROM passages WHERE paper_id = id) AS passages "
                "FROM papers WHERE id > %s ORDER BY id LIMIT %s",
                [after, limit],
            ).fetchall()

    def counts(self) -> dict[str, int]:
        """How many papers and passages are indexed."""
        return {
            "papers": self._scalar("SELECT count(*) FROM papers"),
            "passages": self._scalar("SELECT count(*) FROM passages"),
        }

    def content(self) -> str:
        """An MD5 sum of every paper and passage, vectors included: equal for a copy, and for nothing else."""
        papers = self._scalar("SELECT md5(coalesce(string_agg(md5(p::text), '' ORDER BY id), '')) FROM papers AS p")
        passages = self._scalar(
            "SELECT md5(coalesce(string_agg(md5(p::text), '' ORDER BY paper_id, position), '')) FROM passages AS p"
        )
        return hashlib.md5(f"{papers}{passages}".encode(), usedforsecurity=False).hexdigest()

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
