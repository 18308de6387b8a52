"""Names of resources as another account will have them."""

import pytest

from ragonotebooks.rehearse.names import arns, path

ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    ("arn", "patterns"),
    [
        ("*", ["*"]),
        ("arn:aws:s3:::papers", ["arn:aws:s3:::papers"]),
        ("arn:aws:s3:::papers-123456789012/a/b.pdf", ["arn:aws:s3:::papers-${aws:PrincipalAccount}/*"]),
        ("arn:aws:iam::123456789012:role/demo-task", ["arn:aws:iam::*:role/demo-task"]),
        ("arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0a1b2c3d4e5f67890", ["arn:aws:ec2:us-east-1:*:vpc/vpc-*"]),
        (
            "arn:aws:kms:us-east-1:123456789012:key/1f0c2a3b-12ab-34cd-56ef-1234567890ab",
            ["arn:aws:kms:us-east-1:*:key/*"],
        ),
        (
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:demo/api-AbC123",
            ["arn:aws:secretsmanager:us-east-1:*:secret:demo/api-??????"],
        ),
        (
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:demo/api",
            [
                "arn:aws:secretsmanager:us-east-1:*:secret:demo/api",
                "arn:aws:secretsmanager:us-east-1:*:secret:demo/api-??????",
            ],
        ),
        (
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:my-secret",
            [
                "arn:aws:secretsmanager:us-east-1:*:secret:my-??????",
                "arn:aws:secretsmanager:us-east-1:*:secret:my-secret",
                "arn:aws:secretsmanager:us-east-1:*:secret:my-secret-??????",
            ],
        ),
        (
            "arn:aws:ecs:us-east-1:123456789012:task-definition/demo-api:7",
            ["arn:aws:ecs:us-east-1:*:task-definition/demo-api", "arn:aws:ecs:us-east-1:*:task-definition/demo-api:*"],
        ),
        (
            "arn:aws:logs:us-east-1:123456789012:log-group:/demo/api:log-stream:",
            ["arn:aws:logs:us-east-1:*:log-group:/demo/api", "arn:aws:logs:us-east-1:*:log-group:/demo/api:*"],
        ),
        ("arn:aws:rds:us-east-1:123456789012:snapshot:demo-20261125t1200", ["arn:aws:rds:us-east-1:*:snapshot:demo-*"]),
    ],
)
def test_an_arn_holds_for_any_account_and_for_what_the_cloud_makes_up(arn: str, patterns: list[str]) -> None:
    assert arns(arn, ACCOUNT) == patterns


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("projects/demo-project/secrets/api", "projects/PROJECT/secrets/api"),
        ("projects/314159265358/secrets/api/versions/1", "projects/PROJECT/secrets/api/versions/1"),
        ("projects/_/buckets/papers-demo-project", "projects/_/buckets/papers-PROJECT"),
        ("projects/_/buckets/papers/objects/a/b.pdf", "projects/_/buckets/papers/objects/*"),
    ],
)
def test_a_name_of_google_cloud_holds_for_any_project(name: str, shown: str) -> None:
    assert path(name, "demo-project", "314159265358") == shown
