"""What clouds have to allow for a run, from what its calls needed."""

import json
from dataclasses import dataclass, field

from ragonotebooks.rehearse import aws, gcp

ACCOUNT = "123456789012"
BUCKET = "arn:aws:s3:::papers"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/demo-task"


@dataclass(frozen=True)
class Needed:
    permission: str
    resource: str = "*"
    conditions: dict[str, str] = field(default_factory=dict)


def policy(*needs: Needed) -> list[dict[str, object]]:
    [found] = aws.policies(needs, ACCOUNT)
    statements: list[dict[str, object]] = found["Statement"]
    return statements


def test_actions_on_the_same_resources_share_a_statement() -> None:
    needs = [
        Needed("s3:PutObject", f"{BUCKET}/b"),
        Needed("s3:GetObject", f"{BUCKET}/a"),
        Needed("s3:ListBucket", BUCKET),
    ]
    assert policy(*needs, *needs) == [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::papers/*"]},
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::papers"]},
    ]


def test_a_role_is_passed_to_the_service_alone_that_it_was_passed_to() -> None:
    [found] = policy(Needed("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}))
    assert found["Resource"] == ["arn:aws:iam::*:role/demo-task"]
    assert found["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_what_another_resource_covers_is_left_out() -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:demo"
    [found] = policy(Needed("sqs:ListQueues"), Needed("sqs:ListQueues", queue))
    assert found["Resource"] == ["*"]


def test_actions_that_aws_judges_on_no_resource_get_none() -> None:
    vpc = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc/vpc-0a1b2c3d4e5f67890"
    create, describe = policy(Needed("ec2:CreateSubnet", vpc), Needed("ec2:DescribeSubnets", vpc))
    assert (create["Resource"], describe["Resource"]) == (["arn:aws:ec2:eu-west-1:*:*/*"], ["*"])


def test_a_long_policy_is_several_that_iam_takes() -> None:
    needs = [Needed(f"sqs:Action{number}", f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue-{number}") for number in range(100)]
    found = aws.policies(needs, ACCOUNT)
    assert len(found) > 1
    assert all(len(json.dumps(one, separators=(",", ":"))) <= aws.LONGEST for one in found)
    assert {action for one in found for part in one["Statement"] for action in part["Action"]} == {
        need.permission for need in needs
    }


def test_nothing_needed_is_no_policy() -> None:
    assert aws.policies([], ACCOUNT) == []


def test_a_role_holds_each_permission_once() -> None:
    needs = [Needed("storage.buckets.get", "b"), Needed("pubsub.topics.get", "t"), Needed("storage.buckets.get", "c")]
    assert gcp.role(needs, "deploy")["includedPermissions"] == ["pubsub.topics.get", "storage.buckets.get"]
