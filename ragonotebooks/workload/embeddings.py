"""Text to vectors: static word embeddings whose weights come inside the `wordllama` wheel; nothing is downloaded."""

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL = "wordllama/l2_supercat_256"
DIMENSION = 256

Vectors = NDArray[np.float32]


def model_version() -> str:
    """The version of the wheel that carries the weights: another one may give other vectors."""
    return version("wordllama")


def embed(texts: list[str]) -> Vectors:
    """One row of length 1 for each text, which must not be blank. The same text gives the same bytes, in any batch."""
    if not texts:
        return np.empty((0, DIMENSION), np.float32)
    means: Vectors = _model().embed(texts, norm=False)
    # float64: a float32 sum of squares differs with the width of the machine's vector unit
    lengths = np.linalg.norm(means.astype(np.float64), axis=1, keepdims=True)
    vectors: Vectors = (means / lengths).astype(np.float32)
    return vectors


@cache
def _model() -> Any:
    import wordllama  # 0.7 s with its weights, which a job with nothing to embed does not pay

    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
