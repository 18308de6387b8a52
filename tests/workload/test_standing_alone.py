"""The workload goes into an image by itself, with the packages of its requirements.txt."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import ragonotebooks.workload

FOLDER = Path(ragonotebooks.workload.__file__).parent
NODES = [node for path in FOLDER.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))]


def test_it_imports_its_own_modules_relatively_and_nothing_above() -> None:
    assert {node.level for node in NODES if isinstance(node, ast.ImportFrom)} == {0, 1}
    assert "ragonotebooks" not in imported()


def test_its_requirements_are_what_it_imports() -> None:
    listed = {line.partition("[")[0] for line in (FOLDER / "requirements.txt").read_text().split()}
    distributions = packages_distributions()
    needed = {distributions[name][0] for name in imported() - sys.stdlib_module_names - {"botocore"}}
    assert needed == listed  # botocore comes with boto3


def imported() -> set[str]:
    """The first names of everything that is imported absolutely."""
    modules = [alias.name for node in NODES if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in NODES if isinstance(node, ast.ImportFrom) and not node.level]
    return {module.partition(".")[0] for module in modules}
