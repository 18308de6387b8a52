"""The index job against a real Postgres: what is embedded, written, kept and removed."""

import hashlib
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ragonotebooks.workload import embeddings, index
from ragonotebooks.workload.artifacts import open_artifacts
from ragonotebooks.workload.errors import InputError
from ragonotebooks.workload.settings import Database
from ragonotebooks.workload.store import Store, connect


@pytest.fixture
def run(database: Database, corpus: Any) -> Any:
    """Run the index job's work once and return its manifest."""

    def once() -> dict[str, Any]:
        with connect(database) as store:
            return index.index(store, corpus.artifacts)

    return once


def written(manifest: dict[str, Any]) -> list[str]:
    return [shard["key"] for shard in manifest["shards"] if shard["written"]]


def shard_bytes(corpus: Any) -> dict[str, bytes]:
    return {key: corpus.artifacts.read(key).data for key in corpus.artifacts.list("index/shards/")}


def test_first_run_embeds_every_paper_and_writes_every_shard(run: Any) -> None:
    manifest = run()
    assert manifest["counts"] == {"papers": 3, "passages": 3, "embedded": 3, "kept": 0, "removed": 0}
    assert len(written(manifest)) == 16
    assert sum(shard["passages"] for shard in manifest["shards"]) == 3


def test_second_run_embeds_nothing_and_writes_no_shard(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(embeddings, "_model", lambda: pytest.fail("the model was asked"))
    manifest = run()
    assert manifest["counts"] == {"papers": 3, "passages": 3, "embedded": 0, "kept": 3, "removed": 0}
    assert written(manifest) == []


def test_changed_paper_is_embedded_again_alone(run: Any, corpus: Any, make_record: Any) -> None:
    before = {shard["key"]: shard["sha256"] for shard in run()["shards"]}
    corpus.put("lemons.json", make_record("lemons", summary="Used cars again, told in other words."))
    manifest = run()
    assert manifest["counts"]["embedded"] == 1
    assert manifest["counts"]["kept"] == 2
    after = {shard["key"]: shard["sha256"] for shard in manifest["shards"]}
    assert written(manifest) == [key for key in after if after[key] != before[key]]
    assert len(written(manifest)) == 1


def test_changed_paper_shows_its_new_text_only(run: Any, corpus: Any, make_record: Any, database: Database) -> None:
    run()
    corpus.put("lemons.json", make_record("lemons", summary="Used cars again, told in other words."))
    run()
    with connect(database) as store:
        texts = [passage.text for passage in store.passages()[0] if passage.paper == "lemons"]
    assert texts == ["Used cars again, told in other words."]


def test_vanished_paper_goes_from_rows_and_shards(run: Any, corpus: Any, database: Database) -> None:
    run()
    corpus.drop("money.json")
    manifest = run()
    assert manifest["counts"] == {"papers": 2, "passages": 2, "embedded": 0, "kept": 2, "removed": 1}
    assert not any(b"Phillips curve" in data for data in shard_bytes(corpus).values())
    with connect(database) as store:
        assert {passage.paper for passage in store.passages()[0]} == {"lemons", "minimum-wage"}


def test_a_new_id_in_the_same_file_replaces_the_old_paper(run: Any, corpus: Any, make_record: Any) -> None:
    run()
    corpus.put("money.json", make_record("money", id="friedman-1968"))
    counts = run()["counts"]
    assert (counts["papers"], counts["embedded"], counts["removed"]) == (3, 1, 1)


def test_renamed_file_keeps_its_paper(run: Any, corpus: Any, make_record: Any) -> None:
    run()
    corpus.drop("money.json")
    corpus.put("renamed.json", make_record("money"))
    counts = run()["counts"]
    assert (counts["papers"], counts["removed"]) == (3, 0)
    assert run()["counts"]["embedded"] == 0


def test_manifest_sums_match_the_bytes_of_the_shards(run: Any, corpus: Any) -> None:
    manifest = run()
    data = shard_bytes(corpus)
    assert {s["key"]: s["sha256"] for s in manifest["shards"]} == {
        key: hashlib.sha256(value).hexdigest() for key, value in data.items()
    }
    assert {s["key"]: s["bytes"] for s in manifest["shards"]} == {key: len(value) for key, value in data.items()}


def test_manifest_names_every_corpus_object_and_its_sum(run: Any, corpus: Any, make_record: Any) -> None:
    found = {item["key"]: item["sha256"] for item in run()["corpus"]}
    assert found["corpus/lemons.json"] == hashlib.sha256(make_record("lemons")).hexdigest()
    assert len(found) == 3


def test_manifest_names_the_versions_that_a_bucket_keeps(s3: Any, database: Database, make_record: Any) -> None:
    s3.put_bucket_versioning(Bucket="papers", VersioningConfiguration={"Status": "Enabled"})
    artifacts = open_artifacts("s3://papers/ragonometrics")
    versions = [artifacts.write("corpus/lemons.json", make_record("lemons")) for _ in range(2)]
    with connect(database) as store:
        first, second = index.index(store, artifacts), index.index(store, artifacts)
    assert [item["version"] for item in second["corpus"]] == versions[1:]
    assert [shard["version"] for shard in second["shards"]] == [shard["version"] for shard in first["shards"]]
    kept = s3.list_object_versions(Bucket="papers", Prefix="ragonometrics/index/")["Versions"]
    assert {version["VersionId"] for version in kept} == {shard["version"] for shard in second["shards"]}


def test_same_corpus_gives_the_same_shards_in_another_database(run: Any, corpus: Any, server: Any) -> None:
    run()
    first = shard_bytes(corpus)
    for path in (corpus.folder / "index/shards").iterdir():
        path.unlink()
    with connect(server.new_database()) as store:
        store.migrate()
        index.index(store, corpus.artifacts)
    assert shard_bytes(corpus) == first


def test_papers_added_one_by_one_give_the_shards_of_papers_added_at_once(
    run: Any, corpus: Any, make_record: Any, server: Any
) -> None:
    run()
    at_once = shard_bytes(corpus)
    for paper in ("money", "minimum-wage"):
        corpus.drop(f"{paper}.json")
    with connect(server.new_database()) as store:
        store.migrate()
        for paper in ("lemons", "money", "minimum-wage"):
            corpus.put(f"{paper}.json", make_record(paper))
            index.index(store, corpus.artifacts)
    assert shard_bytes(corpus) == at_once


def test_a_second_job_waits_for_the_first_and_then_finds_nothing_to_do(
    run: Any, corpus: Any, database: Database
) -> None:
    with ThreadPoolExecutor() as pool:
        with connect(database) as store:
            store.lock()
            second = pool.submit(run)
            wait_until_someone_waits(store)
            assert index.index(store, corpus.artifacts)["counts"]["embedded"] == 3
        assert second.result(30)["counts"]["embedded"] == 0


def wait_until_someone_waits(store: Store) -> None:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    deadline = time.monotonic() + 30
    while not store._scalar(query):
        assert time.monotonic() < deadline, "the second job did not wait"
        time.sleep(0.01)


def test_a_shard_that_was_lost_is_written_again(run: Any, corpus: Any) -> None:
    run()
    (corpus.folder / "index/shards/a.npz").unlink()
    assert written(run()) == ["index/shards/a.npz"]


def test_shards_load_with_numpy_alone(run: Any, corpus: Any) -> None:
    run()
    vectors, papers = [], []
    for data in shard_bytes(corpus).values():
        shard = np.load(io.BytesIO(data), allow_pickle=False)
        vectors.append(shard["vectors"])
        papers += [json.loads(line)["paper"] for line in shard["passages.jsonl"].decode().splitlines()]
    matrix = np.concatenate(vectors)
    assert matrix.shape == (3, 256)
    assert matrix.dtype == np.float32
    assert np.allclose(np.linalg.norm(matrix, axis=1), 1)
    assert sorted(papers) == ["lemons", "minimum-wage", "money"]


def test_another_recipe_embeds_every_paper_again(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(embeddings, "model_version", lambda: "99")
    assert run()["counts"]["embedded"] == 3


def test_files_of_other_kinds_are_skipped_and_named(run: Any, corpus: Any) -> None:
    corpus.put("notes.docx", b"PK")
    assert run()["skipped"] == ["corpus/notes.docx"]


def test_two_files_with_one_id_are_refused_by_name(run: Any, corpus: Any, make_record: Any) -> None:
    corpus.put("twin.json", make_record("money"))
    with pytest.raises(InputError, match=r"corpus/money\.json and corpus/twin\.json are both paper 'money'"):
        run()


def test_a_new_file_with_the_id_of_a_kept_paper_is_refused(run: Any, corpus: Any, make_record: Any) -> None:
    run()
    corpus.put("twin.json", make_record("money"))
    with pytest.raises(InputError, match="twin"):
        run()


def test_a_broken_paper_leaves_the_index_as_it_was(run: Any, corpus: Any, database: Database) -> None:
    run()
    before = shard_bytes(corpus)
    corpus.drop("lemons.json")
    corpus.put("broken.pdf", b"%PDF-1.7 and then nothing")
    with pytest.raises(InputError, match=r"broken\.pdf"):
        run()
    assert shard_bytes(corpus) == before
    with connect(database) as store:
        assert store.counts() == {"papers": 3, "passages": 3}


def test_an_empty_corpus_is_refused(database: Database, empty_corpus: Any) -> None:
    with connect(database) as store, pytest.raises(InputError, match="The corpus is empty"):
        index.index(store, empty_corpus.artifacts)


def test_without_a_schema_the_migration_is_named(empty_database: Database, corpus: Any) -> None:
    with connect(empty_database) as store, pytest.raises(InputError, match=r"run python -m workload\.migrate"):
        index.index(store, corpus.artifacts)
