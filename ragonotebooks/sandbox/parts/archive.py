"""Archives of sources, as builds of any cloud fetch them: unpacked into a folder, and nothing gets out of it."""

import io
import tarfile
import zipfile
from pathlib import Path

from ragonotebooks.errors import RagonotebooksError


def unzip(content: bytes, folder: Path) -> None:
    """Unpack a ZIP file.

    Raises:
        RagonotebooksError: It is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise RagonotebooksError(f"the source is no ZIP file: {error}") from error


def untar(content: bytes, folder: Path) -> None:
    """Unpack a tar archive that is compressed by gzip.

    Raises:
        RagonotebooksError: It is none, or a member of it would be outside of the folder.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise RagonotebooksError(f"the source is no compressed tar archive: {error}") from error
