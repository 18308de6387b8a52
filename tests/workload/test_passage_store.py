"""Papers, passages and vectors in a real Postgres."""

import numpy as np
import psycopg
import pytest

from ragonotebooks.workload import chunks
from ragonotebooks.workload.embeddings import embed
from ragonotebooks.workload.errors import InputError
from ragonotebooks.workload.ranking import fuse
from ragonotebooks.workload.records import Paper
from ragonotebooks.workload.settings import Database
from ragonotebooks.workload.store import CANDIDATES, Source, Store, connect

PAPER = Paper("p", "Cars & lemons", "Sellers know what buyers don't.", ("A", "B"), 1970, "QJE", ("D82",), "10.1/x")
SOURCE = Source("corpus/p.json", "0" * 64, "recipe")


def put(store: Store, paper: Paper = PAPER) -> np.ndarray:
    passages = chunks.passages(paper)
    vectors = embed([passage.searchable for passage in passages])
    store.put([(SOURCE, paper)], passages, vectors)
    return vectors


def test_second_migration_applies_nothing(empty_database: Database) -> None:
    with connect(empty_database) as store:
        assert store.migrate() == ["0001_papers_and_passages"]
    with connect(empty_database) as store:
        assert store.migrate() == []


def test_an_unknown_newer_schema_is_refused(database: Database) -> None:
    with connect(database) as store:
        store._connection.execute("INSERT INTO schema_version (version) VALUES (999)")
        with pytest.raises(InputError, match="run a newer image"):
            store.require_schema()


def test_what_was_put_comes_back(database: Database) -> None:
    with connect(database) as store:
        vectors = put(store)
    with connect(database) as store:
        passages, read = store.passages()
        assert passages == chunks.passages(PAPER)
        assert read.tobytes() == vectors.tobytes()
        assert store.known() == {SOURCE: "p"}


def test_passages_come_in_the_order_of_paper_and_position(database: Database) -> None:
    with connect(database) as store:
        for paper in ("b", "a", "C"):
            put(store, Paper(paper, "Title", "word " * 450))
        passages, _ = store.passages()
    assert [passage.id for passage in passages] == ["C#0", "C#1", "C#2", "a#0", "a#1", "a#2", "b#0", "b#1", "b#2"]


def test_a_block_that_fails_leaves_no_trace(database: Database) -> None:
    def put_and_fail() -> None:
        with connect(database) as store:
            put(store)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        put_and_fail()
    with connect(database) as store:
        assert store.counts() == {"papers": 0, "passages": 0}


def test_an_empty_store_has_an_empty_matrix(database: Database) -> None:
    with connect(database) as store:
        passages, vectors = store.passages()
    assert passages == []
    assert vectors.shape == (0, 256)


def test_words_match_by_stem_and_any_of_them_is_enough(database: Database) -> None:
    with connect(database) as store:
        vector = put(store)[0]
        by_meaning_alone, by_both = 1 / 61, 2 / 61
        for words, score in (
            ("does a buyer like unicorns & dragons?", by_both),
            ("unicorns", by_meaning_alone),
            ("the of and", by_meaning_alone),
        ):
            [hit] = store.search(vector, words, 5)
            assert (hit.passage.paper, hit.score) == ("p", pytest.approx(score))


def test_a_search_fuses_both_orders_as_the_evaluation_does(database: Database) -> None:
    vocabulary = ["wage", "price", "tax", "trade", "bank", "growth", "school", "health", "city", "risk"]
    random = np.random.default_rng(1)
    with connect(database) as store:
        for number in range(60):
            put(store, Paper(f"p{number:02}", f"Study {number}", " ".join(random.choice(vocabulary, 6))))
        passages, vectors = store.passages()
        [vector] = embed(["bank risk"])
        distances = 1 - vectors.astype(float) @ vector.astype(float)
        by_words = store._connection.execute(
            "SELECT paper_id FROM passages, to_tsquery('english', 'bank | risk') AS query WHERE words @@ query "
            "ORDER BY ts_rank_cd(words, query) DESC, paper_id"
        ).fetchall()
        hits = store.search(vector, "bank risk", 60)
    by_meaning = [passages[place].paper for place in np.argsort(distances)]
    assert np.diff(np.sort(distances)).min() > 1e-6
    assert len(by_words) > 30
    expected = fuse([by_meaning[:CANDIDATES], [paper for (paper,) in by_words][:CANDIDATES]])
    assert [(hit.passage.paper, hit.score) for hit in hits] == [
        (paper, pytest.approx(score)) for paper, score in expected
    ]


def test_papers_are_listed_page_by_page(database: Database) -> None:
    with connect(database) as store:
        for paper in ("b", "a", "C"):
            put(store, Paper(paper, "Title", "word " * 250))
        assert [(paper["id"], paper["passages"]) for paper in store.papers(2)] == [("C", 2), ("a", 2)]
        assert [paper["id"] for paper in store.papers(2, after="a")] == ["b"]


def test_an_exact_search_agrees_with_the_index_on_few_vectors(database: Database) -> None:
    with connect(database) as store:
        for number in range(20):
            put(store, Paper(f"p{number:02}", f"Study {number}", f"About number {number}."))
        [vector] = embed(["About number 7."])
        store._connection.execute("SET LOCAL enable_seqscan = off")
        found = store.nearest(vector, 5)
        store.without_index()
        assert store.nearest(vector, 5) == found
        assert found[0] == "p07#0"


def test_papers_that_are_not_kept_take_their_passages_along(database: Database) -> None:
    with connect(database) as store:
        put(store)
        assert store.keep_only(["other"]) == 1
        assert store.counts() == {"papers": 0, "passages": 0}


def test_the_vector_index_serves_the_search(database: Database) -> None:
    with connect(database) as store:
        vectors = put(store)
        store._connection.execute("SET LOCAL enable_seqscan = off")
        store._connection.execute("SET LOCAL enable_sort = off")
        plan = store._connection.execute(
            "EXPLAIN SELECT position FROM passages ORDER BY embedding <=> %s::vector LIMIT 5",
            [str(vectors[0].tolist())],
        ).fetchall()
    assert "passages_by_meaning" in str(plan)


def test_a_wrong_password_is_not_shown(database: Database) -> None:
    wrong = Database(database.host, database.port, database.name, database.user, "wr0ng-secret", "verify-full")
    with pytest.raises(psycopg.OperationalError) as caught, connect(wrong):
        pass
    assert "wr0ng-secret" not in str(caught.value) + repr(wrong)
