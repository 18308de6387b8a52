"""The layer of dependencies: installed distributions and everything that they require, as they lie on this machine.

The wheels that are installed on Linux for this interpreter are what an image with the same Python version and
architecture needs, so nothing is downloaded or resolved. `tests` folders are left out, as is what only an installer
needs; scripts, too, since they name this machine's interpreter.
"""

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ragonotebooks.errors import UsageError
from ragonotebooks.images.layers import Content, Layer, add_entry, is_compiled, write_layer

SITE_PACKAGES: Final = "/app/site-packages"

_INSTALLER_FILES: Final = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
_ARCHITECTURES: Final = ("x86_64", "aarch64")


def layer_of_distributions(names: Sequence[str], *, without: Sequence[str] = (), prefix: str = SITE_PACKAGES) -> Layer:
    """Make a layer of installed distributions and of all that they require.

    Args:
        names: As in a requirements file, with extras: `psycopg[binary]`. Versions are those that are installed.
        without: What a layer below was made of: neither this nor what it requires is packed again.
        prefix: The folder of the image; an image finds the modules when its `PYTHONPATH` names it.

    Raises:
        UsageError: The platform is not the image's, or a distribution is not installed from a wheel that runs there.
    """
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES:
        raise UsageError(
            f"The wheels installed on {platform.system()} {platform.machine()} do not run in an image: "
            "make the layer on Linux x86-64 or arm64, in a container or in CI"
        )
    entries: dict[str, Content] = {}
    below = {found.name for found in closure(without)}
    for found in closure(names):
        if found.name in below:
            continue
        for path, file in _files(found):
            add_entry(entries, f"{prefix}/{path}", file)
    return write_layer(entries)


def closure(names: Sequence[str]) -> list[Distribution]:
    """Return the named distributions and all that they require here, sorted by name, each once.

    Raises:
        UsageError: One of them is not installed; the message says who requires it.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(name), "the layer") for name in names]
    while waiting:
        requirement, parent = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            found[name] = _installed(requirement, parent)
            waiting += [(needed, requirement.name) for needed in _requires(found[name], extra)]
    return [found[name] for name in sorted(found)]


def _installed(requirement: Requirement, parent: str) -> Distribution:
    try:
        return distribution(requirement.name)
    except PackageNotFoundError:
        raise UsageError(
            f"The distribution {requirement.name}, which {parent} requires, is not installed: "
            f"pip install '{requirement.name}{requirement.specifier}'"
        ) from None


def _requires(found: Distribution, extra: str) -> Iterator[Requirement]:
    for line in found.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _files(found: Distribution) -> Iterator[tuple[str, Path]]:
    _refuse_foreign(found)
    for path in found.files or []:
        outside = path.parts[0] == ".." or path.is_absolute()
        if not outside and not is_compiled(path) and not _is_left_out(path.parts):
            yield path.as_posix(), Path(str(found.locate_file(path)))


def _is_left_out(parts: tuple[str, ...]) -> bool:
    is_metadata = parts[0].endswith(".dist-info")
    return "tests" in parts[1:-1] or (is_metadata and parts[-1] in _INSTALLER_FILES)


def _refuse_foreign(found: Distribution) -> None:
    """Refuse what would not run elsewhere: an editable install, or binaries that were built for this machine alone."""
    if json.loads(found.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"):
        raise UsageError(
            f"The distribution {found.name} is installed as editable: add its folder with layer_of_files instead"
        )
    tags = [
        line.partition(":")[2].strip()
        for line in (found.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag:")
    ]
    if not found.files or not any(tag.rpartition("-")[2].startswith(("any", "manylinux")) for tag in tags):
        raise UsageError(
            f"The distribution {found.name} was not installed from a wheel that runs on every Linux: "
            f"pip install --force-reinstall --only-binary :all: {found.name}"
        )
