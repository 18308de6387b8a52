"""Index shards: all passages and vectors as sixteen files that any program can load without the database.

A shard is a `.npz` archive: `vectors.npy`, one row a passage, and `passages.jsonl`, one line a passage in the same
order. A paper's shard depends on its id alone, so a changed paper changes one file; the same papers give the same
bytes on every machine.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from .chunks import Passage
from .embeddings import Vectors

NAMES = "0123456789abcdef"


def shards(passages: Sequence[Passage], vectors: Vectors) -> Iterator[tuple[str, int, bytes]]:
    """Name, number of passages and bytes of each of the sixteen shards; one that holds nothing is there too."""
    homes = [hashlib.sha256(passage.paper.encode()).hexdigest()[0] for passage in passages]
    for name in NAMES:
        rows = [row for row, home in enumerate(homes) if home == name]
        yield name, len(rows), _pack([passages[row] for row in rows], vectors[rows])


def _pack(passages: Sequence[Passage], vectors: Vectors) -> bytes:
    matrix = io.BytesIO()
    np.save(matrix, vectors)
    lines = "".join(json.dumps(asdict(passage), ensure_ascii=False) + "\n" for passage in passages)
    packed = io.BytesIO()
    # stored, not deflated: compressed bytes differ between versions of zlib
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (("vectors.npy", matrix.getvalue()), ("passages.jsonl", lines.encode())):
            archive.writestr(zipfile.ZipInfo(name), data)
    return packed.getvalue()
