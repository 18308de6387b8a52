"""The count job: what a database holds, so that a copy can be compared."""

from ragonotebooks.workload import chunks
from ragonotebooks.workload.embeddings import embed
from ragonotebooks.workload.records import Paper
from ragonotebooks.workload.settings import Database
from ragonotebooks.workload.store import Source, connect


def content(database: Database, *papers: Paper) -> str:
    """Put papers, and return the sum of all that is there."""
    with connect(database) as store:
        for paper in papers:
            passages = chunks.passages(paper)
            vectors = embed([passage.searchable for passage in passages])
            store.put([(Source(f"corpus/{paper.id}.json", "0" * 64, "recipe"), paper)], passages, vectors)
        store._connection.execute("UPDATE papers SET indexed_at = '2026-01-01'")
        return store.content()


def test_two_databases_with_the_same_papers_have_the_same_sum(database: Database) -> None:
    one, other = Paper("a", "Cars", "Sellers know more."), Paper("b", "Wages", "They rose.")
    both = content(database, one, other)
    assert content(database) == both
    assert content(database, other) == both
    assert content(database, Paper("b", "Wages", "They fell.")) != both


def test_an_empty_database_has_a_sum_too(database: Database) -> None:
    assert len(content(database)) == 32
