"""The IAM actions that an API operation needs, as facts."""

from typing import Any

import pytest

from ragonotebooks.sandbox.aws.actions import handed_by, tagging_of

TAGS = [{"Key": "deployment", "Value": "demo"}]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "action"),
    [
        ("iam", "CreateRole", {"Tags": TAGS}, "iam:TagRole"),
        ("ec2", "CreateVpc", {"TagSpecifications": [{"ResourceType": "vpc", "Tags": TAGS}]}, "ec2:CreateTags"),
        ("sqs", "CreateQueue", {"tags": {"deployment": "demo"}}, "sqs:TagQueue"),
        ("cloudtrail", "CreateTrail", {"TagsList": TAGS}, "cloudtrail:AddTags"),
        ("sqs", "CreateQueue", {}, None),
        ("ec2", "CreateTags", {"Tags": TAGS}, None),
        ("s3", "PutObject", {"Tags": TAGS}, None),
    ],
)
def test_what_is_made_with_tags_needs_the_right_to_tag(
    service: str, operation: str, parameters: dict[str, Any], action: str | None
) -> None:
    assert tagging_of(service, operation, parameters) == action


@pytest.mark.parametrize(
    ("service", "parameters", "handed"),
    [
        ("ec2", {"DeliverLogsPermissionArn": "a"}, [("a", "vpc-flow-logs.amazonaws.com")]),
        ("codebuild", {"serviceRole": "a"}, [("a", "codebuild.amazonaws.com")]),
        ("events", {"Targets": [{"Id": "1", "RoleArn": "a"}, {"Id": "2"}]}, [("a", "events.amazonaws.com")]),
        ("sqs", {"RoleArn": "a"}, []),
    ],
)
def test_a_role_is_handed_to_the_service_that_acts_with_it(
    service: str, parameters: dict[str, Any], handed: list[tuple[str, str]]
) -> None:
    assert list(handed_by(service, parameters)) == handed
