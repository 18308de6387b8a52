"""The bill of a deployment: whose a resource is, what it costs, and what nobody would pay for."""

import pytest

from ragonotebooks.errors import UsageError
from ragonotebooks.operate.costs import Bill, Line, month

LABELS = {"deployment": "papers", "managed-by": "ragonotebooks"}
DATABASE = {("RDS PostgreSQL", "db.t4g.micro Single-AZ"): 730.0}
SECRET = {("Secrets Manager", "Secret (each replica billed too)"): 1.0}


def test_what_another_deployment_owns_is_no_line_and_what_only_has_our_name_is() -> None:
    others, named = Line("papers-db", {"deployment": "other"}, DATABASE), Line("secret papers/forgotten", {}, SECRET)
    bill = Bill.of("aws", LABELS, [Line("papers-db", LABELS, DATABASE), others, named, Line("somebody", {}, SECRET)])
    assert [line.resource for line in bill.lines] == ["papers-db", "secret papers/forgotten"]
    assert bill.untagged == ["secret papers/forgotten"]


def test_the_lines_are_priced_from_the_list_the_dearest_first() -> None:
    bill = Bill.of("aws", LABELS, [Line("papers-secret", {}, SECRET), Line("papers-db", LABELS, DATABASE)])
    rows = [tuple(row) for row in bill.table().itertuples(index=False)]
    assert rows == [("papers-db", "papers", 11.68), ("papers-secret", "untagged", 0.4)]
    assert bill.total == pytest.approx(0.016 * 730 + 0.4)
    assert bill.usage == {**DATABASE, **SECRET}


def test_an_item_without_a_price_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"no price for 'db\.t4g\.nano Single-AZ'.*did you mean"):
        month("aws", {("RDS PostgreSQL", "db.t4g.nano Single-AZ"): 1.0})
