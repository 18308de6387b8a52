"""What holds for the project as a whole: its files say the same, and name nothing of the machine they were written on."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from typer.main import get_command

from ragonotebooks.catalog import notebook, runbook
from ragonotebooks.catalog.project import ROOT
from ragonotebooks.cli import app

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# the linter and its tests speak of such paths, and this file of both
SPEAK_OF_PATHS = {"ragonotebooks/catalog/rules.py", "tests/catalog/test_lint.py", "tests/test_project.py"}
MACHINE = re.compile(r"(?<![\w.])/(root|work|home|Users)/")
INDEX = re.compile(r"pypi\.|pythonhosted|--(extra-)?index-url|anaconda\.(org|com)", re.IGNORECASE)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("the files that belong to the project are known where it is a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def conda() -> list[Any]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    return list(environment["dependencies"])


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_environment_yml_lists_what_pyproject_lists() -> None:
    (from_pip,) = (entry["pip"] for entry in conda() if isinstance(entry, dict))
    listed = [str(Requirement(entry)) for entry in from_pip if not entry.startswith("--")]
    assert sorted(listed) == sorted({str(Requirement(entry)) for entry in DIRECT})
    assert [entry for entry in from_pip if entry.startswith("--")] == ["--constraint constraints.txt", "--editable ."]


def test_environment_yml_takes_the_same_pythons() -> None:
    (python,) = (entry for entry in conda() if isinstance(entry, str) and entry.startswith("python "))
    assert SpecifierSet(python.removeprefix("python ")) == SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_makefile_takes_the_same_pythons(version: str) -> None:
    (supported,) = re.findall(r"^SUPPORTED := import sys; (.+)$", MAKEFILE, re.MULTILINE)
    major, minor = map(int, version.split("."))
    pretended = f"import sys; sys.version_info = ({major}, {minor}, 1, 'final', 0); {supported}"
    accepted = subprocess.run([sys.executable, "-c", pretended], check=False).returncode == 0
    assert accepted == (version in SpecifierSet(PROJECT["requires-python"]))


def test_every_direct_dependency_is_pinned_exactly() -> None:
    names = {canonicalize_name(name) for name in pinned()}
    assert {canonicalize_name(Requirement(entry).name) for entry in DIRECT} <= names
    assert all(re.fullmatch(r"\d[\w.+!-]*", version) for version in pinned().values())


def test_nothing_names_a_package_index() -> None:
    for path in tracked():
        if path.name != "test_project.py":
            assert not INDEX.search(path.read_text(encoding="utf-8", errors="replace")), path


def test_nothing_names_a_folder_of_one_machine() -> None:
    for path in tracked():
        if str(path.relative_to(ROOT)) not in SPEAK_OF_PATHS:
            text = path.read_bytes()
            found = None if b"\0" in text else MACHINE.search(text.decode("utf-8", errors="replace"))
            assert not found, path


def test_importing_the_package_loads_no_heavy_library() -> None:
    heavy = (
        "{'boto3', 'botocore', 'IPython', 'matplotlib', 'moto', 'nbformat', 'numpy', 'pandas', 'papermill', 'requests'}"
    )
    program = f"import sys, ragonotebooks; print(sorted({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_commands_in_the_guides_exist(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?:^ {4}|`)make ([a-z]+)", text, re.MULTILINE)) <= targets
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"(?:^ {4}|`)ragonotebooks ([a-z]+)", text, re.MULTILINE)) <= commands


def test_the_readme_says_how_to_start() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"run", "lab"} <= set(re.findall(r"^ {4}make ([a-z]+)", text, re.MULTILINE))


def test_every_lesson_of_a_cloud_is_in_a_runbook() -> None:
    books = [runbook.load(name) for name in runbook.names()]
    used = {one.key for book in books for one in book.notebooks}
    assert {key for key in map(notebook.key_of, notebook.lessons()) if key.startswith(runbook.CLOUDS)} <= used


def test_every_lesson_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path for path in notebook.lessons() if f"(notebooks/{notebook.key_of(path)}.ipynb)" not in readme] == []
