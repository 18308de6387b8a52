"""Access Analyzer: who from outside may, until it is fixed; and what is wrong with a policy's text."""

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws.policy_checks import validate
from tests.sandbox.conftest import ACCOUNT, Sandbox

STRANGER = "arn:aws:iam::111122223333:root"


@pytest.fixture(scope="module")
def analyzer(sandbox: Sandbox) -> str:
    name = f"analyzer-{secrets.token_hex(4)}"
    made = sandbox.client("accessanalyzer").create_analyzer(analyzerName=name, type="ACCOUNT", tags={"a": "b"})
    return str(made["arn"])


def findings(sandbox: Sandbox, analyzer: str, resource: str) -> list[dict[str, Any]]:
    wanted = {"resource": {"eq": [resource]}}
    found: list[dict[str, Any]] = sandbox.client("accessanalyzer").list_findings(analyzerArn=analyzer, filter=wanted)[
        "findings"
    ]
    return found


def trust(principal: dict[str, str], **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_role_that_a_stranger_may_become_is_found_and_resolved(sandbox: Sandbox, analyzer: str) -> None:
    iam, name = sandbox.client("iam"), f"role-{secrets.token_hex(4)}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": STRANGER}))["Role"]["Arn"]
    [found] = findings(sandbox, analyzer, arn)
    assert (found["status"], found["principal"], found["isPublic"]) == ("ACTIVE", {"AWS": STRANGER}, False)
    closed = trust({"Service": "ecs-tasks.amazonaws.com"})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=closed)
    [found] = findings(sandbox, analyzer, arn)
    assert found["status"] == "RESOLVED"


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, 0),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}, 0),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, 1),
    ],
)
def test_a_condition_closes_a_statement_only_when_it_names_the_account(
    sandbox: Sandbox, analyzer: str, condition: dict[str, Any], count: int
) -> None:
    document = trust({"AWS": "*"}, Condition=condition)
    name = f"role-{secrets.token_hex(4)}"
    arn = sandbox.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    assert len(findings(sandbox, analyzer, arn)) == count


def test_buckets_keys_and_queues_are_looked_at(sandbox: Sandbox, analyzer: str) -> None:
    s3, name = sandbox.client("s3"), f"open-{secrets.token_hex(4)}"
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": STRANGER},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": [statement]}))
    [found] = findings(sandbox, analyzer, f"arn:aws:s3:::{name}")
    assert found["action"] == ["s3:GetObject"]
    key = sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
    queue = {**statement, "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Statement": [queue]})
    url = sandbox.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    assert url
    topic = sandbox.client("sns").create_topic(Name=name)["TopicArn"]
    assert findings(sandbox, analyzer, key) == findings(sandbox, analyzer, topic) == []
    [found] = findings(sandbox, analyzer, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
    assert found["isPublic"]


def test_an_analyzer_is_listed_with_its_tags_until_it_is_deleted(sandbox: Sandbox) -> None:
    api, name = sandbox.client("accessanalyzer"), f"analyzer-{secrets.token_hex(4)}"
    arn = api.create_analyzer(analyzerName=name, type="ACCOUNT", tags={"deployment": "a"})["arn"]
    [known] = [one for one in api.list_analyzers()["analyzers"] if one["arn"] == arn]
    assert known["tags"] == {"deployment": "a"}
    with pytest.raises(ClientError, match="ConflictException"):
        api.create_analyzer(analyzerName=name, type="ACCOUNT")
    api.delete_analyzer(analyzerName=name)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        api.get_analyzer(analyzerName=name)


def test_what_is_not_supported_is_refused_by_name(sandbox: Sandbox) -> None:
    api = sandbox.client("accessanalyzer")
    with pytest.raises(ClientError, match="access-analyzer:ListPolicyGenerations"):
        api.list_policy_generations()
    with pytest.raises(ClientError, match="access-analyzer:CreateAnalyzer"):
        api.create_analyzer(analyzerName="unused", type="ACCOUNT_UNUSED_ACCESS")


def codes(policy: Any, kind: str = "IDENTITY_POLICY") -> set[str]:
    document = policy if isinstance(policy, str) else json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    return {one["issueCode"] for one in validate({"policyDocument": document, "policyType": kind})["findings"]}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": ["s3:GetObject", "s3:ListBucket", "logs:PutLogEvents"], "Resource": "*"}, set()),
        ({"Action": "cloudwatch:PutMetricData", "Resource": "*"}, set()),
        ({"Action": "s3:GetObjekt", "Resource": "*"}, {"INVALID_ACTION"}),
        ({"Action": "nosuch:Thing", "Resource": "*"}, {"INVALID_SERVICE_IN_ACTION"}),
        ({"Action": "iam:PassRole", "Resource": "*"}, {"PASS_ROLE_WITH_STAR_IN_RESOURCE"}),
        ({"Action": "iam:PassRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/job"}, set()),
        ({"Action": "*", "Resource": "*"}, {"PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE"}),
        ({"Resource": "*"}, {"MISSING_ACTION"}),
    ],
)
def test_a_policy_is_checked(statement: dict[str, Any], expected: set[str]) -> None:
    assert codes({"Effect": "Allow", **statement}) == expected


def test_what_is_no_json_is_told() -> None:
    assert codes("{") == {"JSON_SYNTAX_ERROR"}
