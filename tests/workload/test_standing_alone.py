"""The workload goes into an image by itself, with the packages that its cloud's requirements name."""

import ast
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import ragonotebooks.workload

FOLDER = Path(ragonotebooks.workload.__file__).parent
UI = ("ui.py", "page.py")
OF_A_CLOUD = ("artifacts_s3.py", "artifacts_gcs.py")
BROUGHT_ALONG = {"botocore": "boto3", "pydantic": "fastapi", "starlette": "fastapi"}
FOUND = {"httptools", "uvloop"}  # uvicorn uses them where they are installed
GOOGLE = {"google-cloud-storage"}  # many distributions share the package google


def test_it_imports_its_own_modules_relatively_and_nothing_above() -> None:
    levels = {node.level for path in FOLDER.glob("*.py") for node in nodes(path) if isinstance(node, ast.ImportFrom)}
    assert levels == {0, 1}
    assert "ragonotebooks" not in imported(FOLDER.glob("*.py"))


def test_the_requirements_of_a_cloud_are_what_is_imported_there() -> None:
    common = FOUND | needed(path for path in FOLDER.glob("*.py") if path.name not in (*UI, *OF_A_CLOUD))
    assert listed("requirements.txt") == common | needed([FOLDER / "artifacts_s3.py"])
    assert listed("requirements-gcp.txt") == common | GOOGLE
    assert imported([FOLDER / "artifacts_gcs.py"]) - sys.stdlib_module_names == {"google"}


def test_a_cloud_is_imported_where_its_store_is_opened() -> None:
    others = [path for path in FOLDER.glob("*.py") if path.name not in OF_A_CLOUD]
    assert not imported(others) & {"boto3", "botocore", "google"}


def test_the_ui_needs_none_of_the_rest() -> None:
    files = [FOLDER / name for name in UI]
    assert needed(files) == listed("requirements-ui.txt")
    assert {node.level for path in files for node in nodes(path) if isinstance(node, ast.ImportFrom)} == {0}


def test_no_module_hides_one_of_the_standard_library() -> None:
    # Streamlit puts the page's folder at the front of the path
    assert not {path.stem for path in FOLDER.glob("*.py")} & sys.stdlib_module_names


def needed(paths: Iterable[Path]) -> set[str]:
    """The distributions that the modules import, without those that come with another."""
    distributions = packages_distributions()
    return {distributions[name][0] for name in imported(paths) - sys.stdlib_module_names - BROUGHT_ALONG.keys()}


def listed(requirements: str) -> set[str]:
    return {line.partition("[")[0] for line in (FOLDER / requirements).read_text().split()}


def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def imported(paths: Iterable[Path]) -> set[str]:
    """The first names of everything that is imported absolutely."""
    every = [node for path in paths for node in nodes(path)]
    modules = [alias.name for node in every if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in every if isinstance(node, ast.ImportFrom) and not node.level]
    return {module.partition(".")[0] for module in modules}
