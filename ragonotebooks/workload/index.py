"""The index job: corpus → passages → vectors → rows, index shards, and a manifest that says what was done.

Safe to run twice: only papers whose bytes changed are embedded again, only shards whose bytes changed are written,
and what vanished from the corpus vanishes from the index. Everything is read and checked before anything is
written; the rows are one transaction, and the manifest comes last, so it only ever tells of a run that was done.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import chunks, embeddings, job, logs, records, settings
from .artifacts import Artifacts, MissingArtifactError, open_artifacts, to_json
from .errors import InputError
from .records import Paper
from .shards import shards
from .store import Source, Store, connect

CORPUS = "corpus/"
SHARDS = "index/shards/"
RUNS = "runs/"
LATEST = f"{RUNS}latest.json"


@dataclass
class Corpus:
    """What was found in the corpus: every paper's object, the papers that are new or changed, the files left out."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: list[tuple[Source, Paper]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def recipe() -> str:
    """How passages are cut and embedded: when this changes, every paper is embedded again."""
    model = f"{embeddings.MODEL} {embeddings.model_version()}"
    return f"{model}, passages of {chunks.WORDS} words overlapping by {chunks.OVERLAP}"


def run(environment: Mapping[str, str], name: str = "") -> dict[str, Any]:
    """Run the job and return its manifest; a run whose `name` is known to have been done is not done again."""
    database, url = settings.database(environment), settings.artifacts(environment)
    image, artifacts = settings.image_digest(environment), open_artifacts(url)
    with connect(database) as store:
        store.lock()
        if name and (done := _done(artifacts, name)):
            return done
        manifest = index(store, artifacts, image, name)
    # after the commit: a manifest never tells of rows that are not there
    for key in (manifest_key(manifest["run"]), LATEST):
        artifacts.write(key, to_json(manifest))
    logs.info("indexed", run=manifest["run"], **manifest["counts"])
    return manifest


def manifest_key(run: str) -> str:
    """Where the manifest of a run lies."""
    return f"{RUNS}{run}/manifest.json"


def index(store: Store, artifacts: Artifacts, image: str | None = None, name: str = "") -> dict[str, Any]:
    """Bring the index up to date with the corpus and return the manifest of this run.

    `image` is the digest of the image that runs; a run without a `name` is named by its time. Raises InputError when
    the corpus is empty or a paper unreadable.
    """
    started = datetime.now(UTC)
    store.require_schema()
    store.lock()
    corpus = read_corpus(artifacts, store.known())
    removed = store.keep_only(corpus.objects)
    _embed(store, corpus.changed)
    manifest = {
        "run": name or f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        "started": started.isoformat(timespec="milliseconds"),
        "image": image,
        "model": {"name": embeddings.MODEL, "version": embeddings.model_version(), "dimension": embeddings.DIMENSION},
        "recipe": recipe(),
        "counts": store.counts()
        | {"embedded": len(corpus.changed), "kept": len(corpus.objects) - len(corpus.changed), "removed": removed},
        "shards": _write_shards(store, artifacts),
        "corpus": list(corpus.objects.values()),
        "skipped": corpus.skipped,
    }
    return manifest | {"finished": datetime.now(UTC).isoformat(timespec="milliseconds")}


def read_corpus(artifacts: Artifacts, known: Mapping[Source, str]) -> Corpus:
    """Read every corpus object once; those that are `known` byte for byte are not parsed again."""
    corpus, how = Corpus(), recipe()
    for key in artifacts.list(CORPUS):
        name = key.removeprefix(CORPUS)
        if not records.readable(name):
            logs.warning("skipped", key=key, message="only .json, .md, .pdf and .txt files are read")
            corpus.skipped.append(key)
            continue
        artifact = artifacts.read(key)
        source = Source(key, hashlib.sha256(artifact.data).hexdigest(), how)
        paper = known.get(source)
        if paper is None:
            read = records.read(name, artifact.data)
            corpus.changed.append((source, read))
            paper = read.id
        if paper in corpus.objects:
            raise InputError(f"{corpus.objects[paper]['key']} and {key} are both paper {paper!r}: rename or drop one.")
        corpus.objects[paper] = {"paper": paper, "key": key, "version": artifact.version, "sha256": source.sha256}
    if not corpus.objects:
        raise InputError("The corpus is empty: put .json records, .pdf, .md or .txt files under corpus/ of ARTIFACTS.")
    return corpus


def _embed(store: Store, changed: list[tuple[Source, Paper]]) -> None:
    passages = [passage for _, paper in changed for passage in chunks.passages(paper)]
    store.put(changed, passages, embeddings.embed([passage.searchable for passage in passages]))


def _write_shards(store: Store, artifacts: Artifacts) -> list[dict[str, Any]]:
    written = []
    for name, passages, data in shards(*store.passages()):
        key = f"{SHARDS}{name}.npz"
        version, wrote = _write_if_new(artifacts, key, data)
        facts = {"key": key, "version": version, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        written.append(facts | {"passages": passages, "written": wrote})
    return written


def _write_if_new(artifacts: Artifacts, key: str, data: bytes) -> tuple[str | None, bool]:
    try:
        there = artifacts.read(key)
    except MissingArtifactError:
        return artifacts.write(key, data), True
    if there.data == data:
        return there.version, False
    return artifacts.write(key, data), True


def _done(artifacts: Artifacts, name: str) -> dict[str, Any] | None:
    try:
        manifest: dict[str, Any] = json.loads(artifacts.read(manifest_key(name)).data)
    except MissingArtifactError:
        return None
    return manifest


def main() -> None:
    run(os.environ)


if __name__ == "__main__":
    raise SystemExit(job.run(main))
