"""Filters of lists, over messages and JSON alike."""

import pytest
from google.cloud.secretmanager_v1 import Secret
from google.protobuf.timestamp_pb2 import Timestamp

from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.filters import compiled

MADE = Timestamp(seconds=1_764_000_000)  # 2025-11-24T16:00:00Z
SECRET = Secret.pb(Secret(name="projects/1/secrets/database", labels={"team": "papers", "a.b": "c"}, create_time=MADE))
INSTANCE = {
    "name": "one",
    "settings": {"tier": "small", "disks": [{"gb": 10}, {"gb": 20}]},
    "state": "RUNNABLE",
    "on": True,
}

HOLDS = [
    "",
    "labels.team=papers",
    'labels.team="papers" AND name:database',
    "labels.team=papers name:database",
    "labels.team=other OR labels.team=papers",
    "NOT labels.team=other",
    "-labels.team=other",
    "(labels.team=other OR labels.team=papers) AND name:data",
    "labels.team:*",
    "labels:team",
    'labels."a.b"=c',
    "labels.team!=other",
    'labels.team=("other" OR "papers")',
    'create_time > "2025-11-01T00:00:00Z"',
    'createTime <= "2025-11-24T16:00:00+0000"',
    "name=*database",
    "papers",
]
FAILS = [
    "labels.team=other",
    "labels.none:*",
    "NOT name:database",
    "name:data AND labels.team=other",
    "labels:none",
    "other",
]


@pytest.mark.parametrize("text", HOLDS)
def test_a_message_matches(text: str) -> None:
    assert compiled(text)(SECRET)


@pytest.mark.parametrize("text", FAILS)
def test_a_message_does_not_match(text: str) -> None:
    assert not compiled(text)(SECRET)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("settings.tier=small", True),
        ("settings.disks.gb>15", True),
        ("settings.disks.gb>25", False),
        ("state=runnable AND on=true", True),
        ("on=false", False),
        ("none=1", False),
    ],
)
def test_json_is_matched_the_same_way(text: str, holds: bool) -> None:
    assert compiled(text)(INSTANCE) is holds


@pytest.mark.parametrize("text", ["a=", "(a=b", "a=b)", "=b", "AND", 'a="b', "size(a)=1", 'a=("b" AND "c")'])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="cannot be read") as refusal:
        compiled(text)
    assert "filter" in refusal.value.violations
