"""The lesson that lays both clouds side by side, where AWS is deployed: it brings up what it needs of Google Cloud by itself."""

import pytest

from tests.desk import Desk, Done, checks, operators

LESSON = "compare/aws-and-gcp"


@pytest.fixture(scope="module")
def desk(deployment: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(deployment, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def compared(desk: Desk) -> Done:
    return desk.ragonotebooks("run", LESSON, "--out", str(desk.folder / "compared"))


@pytest.fixture(scope="module")
def again(desk: Desk, compared: Done) -> Done:
    """Once more, under nbval."""
    return desk.do("pytest", "--nbval-lax", "-p", "no:cacheprovider", "-q", f"notebooks/{LESSON}.ipynb")


def test_both_clouds_are_one_application(desk: Desk, compared: Done) -> None:
    assert compared.code == 0, compared.output
    assert desk.passed("gcp/08-services")
    executed = next((desk.folder / "compared").glob("01-*.ipynb"))
    claims = dict(checks(executed))
    for claim in (
        "and wrote the same index, to the byte",
        "both clouds agree on each sentence",
        "both clouds quote the same passages",
    ):
        assert claims[claim]


def test_where_both_are_deployed_it_changes_nothing(desk: Desk, again: Done) -> None:
    assert (again.code, operators(again)) == (0, []), again.output
