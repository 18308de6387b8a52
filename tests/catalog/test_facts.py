"""Exam guides and price lists: the data of this project, read as it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragonotebooks.catalog import objectives, prices
from ragonotebooks.catalog.objectives import ObjectiveRef
from ragonotebooks.errors import RagonotebooksError, UsageError


def test_every_exam_guide_is_read_whole() -> None:
    exams = objectives.exams()
    assert {"DEA-C01", "MLA-C01", "MLA-C02", "SAA-C03", "ACE", "PDE", "PMLE"} <= exams.keys()
    for exam in exams.values():
        assert sum(domain.weight for domain in exam.domains) == pytest.approx(100, abs=2)
        assert len({objective.ref for objective in exam.objectives}) == len(exam.objectives)
        assert exam.url.startswith("https://")


def test_objective_is_found_by_its_reference() -> None:
    assert "privilege" in objectives.find(ObjectiveRef("DEA-C01", "4.2")).title


def test_exam_is_found_whatever_the_case_of_its_code() -> None:
    assert objectives.exam("dea-c01").code == "DEA-C01"


def test_references_are_read_from_a_line() -> None:
    line = "**Objectives:** DEA-C01 2.1 · SAA-C03 3.1 · ACE 1.2"
    assert [str(ref) for ref in objectives.parse_refs(line)] == ["DEA-C01 2.1", "SAA-C03 3.1", "ACE 1.2"]


def test_unknown_exam_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no exam 'DEA-CO1' in data/objectives; did you mean 'DEA-C01'"):
        objectives.exam("DEA-CO1")


def test_unknown_objective_names_the_exam() -> None:
    with pytest.raises(UsageError, match=r"DEA-C01 has no objective '9\.9'"):
        objectives.find(ObjectiveRef("DEA-C01", "9.9"))


def test_price_carries_unit_and_source() -> None:
    price = prices.find_price("aws", "NAT gateway", "Gateway hour (per gateway)")
    assert (price.unit, price.usd) == ("hour", 0.045)
    assert "http" in price.source_url
    assert price.source_seen


@pytest.mark.parametrize(
    ("cloud", "service", "item", "problem"),
    [
        ("aws", "NAT gatewya", "Data processed", "did you mean 'NAT gateway'"),
        ("aws", "NAT gateway", "Data procesed", "did you mean 'Data processed'"),
        ("azure", "x", "y", "no price list for cloud 'azure'"),
    ],
)
def test_unknown_price_names_the_nearest(cloud: str, service: str, item: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        prices.find_price(cloud, service, item)


@pytest.fixture
def odd_list(checkout: Path) -> Iterator[None]:
    (checkout / "data").unlink()
    (checkout / "data" / "prices").mkdir(parents=True)
    header = "service,item,unit,usd,free_tier,source_url,source_seen,confidence\n"
    rows = "S,odd,hour,0.1 to 0.2,,u,2026,one-source\nS,even,hour,0.1,,u,2026,one-source\n"
    (checkout / "data" / "prices" / "aws-x.csv").write_text(header + rows, encoding="utf-8")
    return


@pytest.mark.usefixtures("odd_list")
def test_figure_that_is_no_number_fails_only_its_own_lookup() -> None:
    assert prices.find_price("aws", "S", "even").usd == 0.1
    with pytest.raises(RagonotebooksError, match=r"'odd' of S is '0\.1 to 0\.2', not a number"):
        prices.find_price("aws", "S", "odd")
