"""What a release is on any cloud: the code of a commit, the image that is made of it, and when it is found good or bad.

A build runs this in the folder of the source, beside the cloud's own `release.py`.
"""

import hashlib
import io
import logging
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ragonotebooks.images import Image, append, layer_of_files

ANSWERS = 20  # by no fewer is a release judged
PATIENCE = 600  # seconds, for a rollout, and for the answers

say = logging.getLogger("release").info


@dataclass(frozen=True)
class Look:
    """What is seen of a release at one moment.

    Attributes:
        answers: How many answers it has given.
        problem: Why it is bad, None while nothing says so.
        calm: Whether nothing is counted yet that will be a problem.
    """

    answers: float
    problem: str | None = None
    calm: bool = True


def speak() -> None:
    """Let what is said be seen, and what libraries say only when it is a warning."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("release").setLevel(logging.INFO)


def code() -> dict[str, Path]:
    """The files of the commit that go into the image."""
    files = sorted(path for path in Path("workload").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path): path for path in files}


def tag() -> str:
    """The image's tag, made from the files: the same commit is the same image."""
    content = hashlib.sha256()
    for place, path in code().items():
        content.update(place.encode() + path.read_bytes())
    return content.hexdigest()[:12]


def with_code(image: Image, requirements: str, more: Mapping[str, bytes]) -> Image:
    """The image with this commit's code in place of its uppermost layer.

    Args:
        image: What runs now.
        requirements: The file that says which packages its cloud needs.
        more: Files besides the code, by their place.
    """
    return append(without_code(image, f"workload/{requirements}"), [layer_of_files({**code(), **more})])


def without_code(image: Image, requirements: str) -> Image:
    """The image without its uppermost layer, which holds code that wants the same packages as this commit."""
    with image.layers[-1].open() as packed, tarfile.open(fileobj=io.BytesIO(packed.read())) as layer:
        wanted = layer.extractfile(f"app/{requirements}")
        if wanted is None or wanted.read() != Path(requirements).read_bytes():
            raise SystemExit(f"{requirements} has changed: other packages need a whole new image")
    rootfs = image.config["rootfs"]
    config = {**image.config, "rootfs": {**rootfs, "diff_ids": rootfs["diff_ids"][:-1]}}
    if config.get("history"):
        config["history"] = config["history"][:-1]
    return replace(image, config=config, layers=image.layers[:-1])


def watch(look: Callable[[], Look], seconds: float) -> str | None:
    """Return why a release is bad; None when it has given enough answers and nothing is wrong with them.

    A clock alone proves nothing: where nobody asks nothing fails, and metrics come late.

    Args:
        look: Looks at it.
        seconds: How long it is watched at least.
    """
    for passed in moments():
        seen = look()
        if seen.problem:
            return seen.problem
        if passed >= seconds and seen.answers >= ANSWERS and seen.calm:
            say(f"{seen.answers:.0f} answers in {passed:.0f} s, and nothing is wrong with them")
            return None
    say(f"fewer than {ANSWERS} answers in {PATIENCE} seconds: nobody knows whether it is good")
    return None


def moments() -> Iterator[float]:
    """The seconds that have passed, twice a second, for as long as it is worth waiting."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < PATIENCE:
        yield passed
        time.sleep(0.5)
