"""Recall and speed of the vector index over 100 000 passages, in a Postgres of its own.

The passages are words of the packaged papers, mixed within 300 topics, so that neighbours are near and many: real
questions find theirs more easily.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from ragonotebooks.workload import recall
from ragonotebooks.workload.embeddings import Vectors, embed
from ragonotebooks.workload.settings import Database
from ragonotebooks.workload.store import connect
from tests.bench.common import report
from tests.workload.conftest import Server

PASSAGES, QUESTIONS, TOPICS = 100_000, 200, 300
PAPERS = Path(__file__).parents[2] / "data" / "papers"
BATCH = 5_000


def vectors() -> None:
    """Fill a database, build the index, and ask it as the API does."""
    random = np.random.default_rng(0)
    words = sorted({word for path in PAPERS.glob("*.json") for word in json.loads(path.read_text())["summary"].split()})
    topics = [random.choice(words, 60) for _ in range(TOPICS)]

    def texts(count: int) -> list[str]:
        return [
            " ".join([*random.choice(topics[random.integers(TOPICS)], 20), *random.choice(words, 8)])
            for _ in range(count)
        ]

    with tempfile.TemporaryDirectory(prefix="ragb-") as folder:
        server = Server(Path(folder))
        server.start("shared_buffers=512MB", "max_wal_size=4GB")  # RDS gives a quarter of its memory
        try:
            database = server.new_database()
            with connect(database) as store:
                store.migrate()
            for start in range(0, PASSAGES, BATCH):
                fill(database, start, embed(texts(BATCH)))
            build(database)
            found = measure(database, embed(texts(QUESTIONS)))
        finally:
            server.stop()
    report(f"{PASSAGES} passages: recall@10 of the vector index", found.recall, "", at_least=0.95)
    report(f"{PASSAGES} passages: p95 of a query (p50 {found.p50:.1f} ms)", found.p95, "ms", 20)


def fill(database: Database, start: int, vectors: Vectors) -> None:
    with connect(database) as store:
        connection = store._connection
        connection.execute("DROP INDEX IF EXISTS passages_by_meaning")
        connection.execute(
            "INSERT INTO papers VALUES ('p', 'k', 's', 'r', 'T', '{}', NULL, NULL, '{}', NULL) ON CONFLICT DO NOTHING"
        )
        with connection.cursor().copy("COPY passages FROM STDIN") as copy:
            for number, vector in enumerate(vectors, start=start):
                copy.write_row(("p", number, "", str(vector.tolist()), ""))


def build(database: Database) -> None:
    """The index as the schema makes it, all at once."""
    with connect(database) as store:
        store._connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
        store._connection.execute(
            "CREATE INDEX passages_by_meaning ON passages USING hnsw (embedding vector_cosine_ops)"
        )
        store._connection.execute("ANALYZE passages")


def measure(database: Database, vectors: Vectors) -> recall.Recall:
    with connect(database) as store:
        for vector in vectors[:50]:
            store.nearest(vector, 10)
        return recall.measure(store, vectors)
