"""What a sweep makes of what it finds: whose a deployment is, how old, and whether it goes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from ragonotebooks.cleanup.kind import Account, Found, Kind, Making, Refusal
from ragonotebooks.cleanup.sweep import Deployment, Rule, deployments

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ANN = "arn:aws:sts::123456789012:assumed-role/Developer/ann@example.com"


def hours_ago(hours: float) -> datetime:
    return NOON - timedelta(hours=hours)


def one(name: str, deployment: str = "lab", made: datetime | None = None, **more: object) -> Found:
    return Found(name, deployment, made, **more)  # type: ignore[arg-type]


def account(*found: Found, log: Mapping[str, Making] | None = None) -> Account:
    """An account with one kind of thing; without a log nobody may read what was called."""

    def making(thing: Found) -> Making | None:
        if log is None:
            raise PermissionError("you may not read the log")
        return log.get(thing.id)

    kind = Kind("shop", "thing", lambda client: found, lambda client, name: None)
    return Account(lambda service: None, (kind,), (PermissionError,), lambda error: Refusal(str(error)), making)


def only(*found: Found, log: Mapping[str, Making] | None = None) -> Deployment:
    [deployment], unseen = deployments(account(*found, log=log))
    assert unseen == []
    return deployment


def stays(deployment: Deployment, owner: str = "") -> str:
    return Rule(timedelta(hours=8), owner, NOON).stays(deployment)


def test_each_deployment_is_found_with_what_belongs_to_it() -> None:
    found, _ = deployments(account(one("a", "lab"), one("b", "other"), one("c", "lab"), log={}))
    assert [(each.name, [thing.id for _, thing in each.resources]) for each in found] == [
        ("lab", ["a", "c"]),
        ("other", ["b"]),
    ]


def test_what_cannot_be_looked_for_is_told() -> None:
    def denied(client: object) -> list[Found]:
        raise PermissionError("you may not list them")

    shop = account(one("a"), log={})
    broken = Kind("bank", "vault", denied, lambda client, name: None)
    [deployment], [row] = deployments(Account(shop.clients, (broken, *shop.order), shop.errors, shop.read, shop.making))
    assert deployment.name == "lab"
    assert (row.kind, row.why) == ("vault", "these could not be looked for: you may not list them")


@pytest.mark.parametrize(("hours", "why"), [(7.9, "it is not that old"), (8, ""), (30, "")])
def test_a_deployment_is_as_old_as_the_last_thing_made_in_it(hours: float, why: str) -> None:
    assert stays(only(one("a", made=hours_ago(100)), one("b", made=hours_ago(hours)), one("c"), log={})) == why


def test_where_nothing_has_a_date_the_log_tells_the_age() -> None:
    assert stays(only(one("a"), log={"a": Making(ANN, hours_ago(9))})) == ""
    assert stays(only(one("a"), log={"a": Making(ANN, hours_ago(7))})) == "it is not that old"


def test_what_nobody_knows_the_age_of_is_left_with_the_command_that_deletes_it() -> None:
    assert stays(only(one("a"), log={})).endswith("ragonotebooks cleanup --deployment lab")


def test_who_made_the_oldest_thing_brought_the_deployment_up() -> None:
    log = {"new": Making("arn:aws:iam::123456789012:user/bob", hours_ago(9)), "old": Making(ANN, hours_ago(20))}
    deployment = only(one("undated"), one("new", made=hours_ago(9)), one("old", made=hours_ago(20)), log=log)
    assert deployment.owner == "ann@example.com"
    assert [stays(deployment, who) for who in ("ann@example.com", ANN)] == ["", ""]
    assert stays(deployment, "bob") == "somebody else brought it up"


def test_when_the_log_has_forgotten_the_oldest_thing_the_next_one_tells() -> None:
    found = (one("old", made=hours_ago(3000)), one("new", made=hours_ago(9)))
    assert only(*found, log={"new": Making(ANN, hours_ago(9))}).owner == "ann@example.com"


def test_without_the_log_the_age_decides_and_nothing_goes_for_an_owner() -> None:
    deployment = only(one("a", made=hours_ago(9)))
    assert deployment.unread == "you may not read the log"
    assert stays(deployment) == ""
    assert stays(deployment, "ann@example.com") == "nobody knows who brought it up"


def test_a_deployment_with_something_protected_stays_whole() -> None:
    deployment = only(one("a", made=hours_ago(9)), one("b", protected="it carries protected=true"), log={})
    assert stays(deployment) == "thing b: it carries protected=true"


def test_what_regions_share_does_not_go_without_something_in_this_region() -> None:
    shared = one("role", made=hours_ago(9), regional=False)
    assert stays(only(shared, log={})) == "nothing of it is in this region but what all regions share"
    assert stays(only(shared, one("bucket", made=hours_ago(9)), log={})) == ""
