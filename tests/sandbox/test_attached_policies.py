"""A policy that cannot be read is refused when it is put, so that it shuts nobody out later."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.aws import attached_policies
from tests.sandbox.conftest import ACCOUNT, ControlPlane

WHOLE = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "*", "Resource": "*"}
LACKING = [{name: value for name, value in WHOLE.items() if name != part} for part in WHOLE]
MALFORMED = ["no json", "[]", "{}", json.dumps({"Statement": [WHOLE, {**WHOLE, "Effect": "Maybe"}]})] + [
    json.dumps({"Statement": statement}) for statement in LACKING
]


@pytest.fixture(scope="module", autouse=True)
def _checks() -> None:
    attached_policies.check_keys()
    attached_policies.check_secrets()


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("policy", MALFORMED)
def test_malformed_policy_is_refused(aws: ControlPlane, policy: str) -> None:
    secrets, kms = aws.client("secretsmanager"), aws.client("kms")
    secrets.create_secret(Name="s", SecretString="x")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    code = "MalformedPolicyDocumentException"
    assert refused(secrets.put_resource_policy, SecretId="s", ResourcePolicy=policy) == code
    assert refused(kms.put_key_policy, KeyId=key, PolicyName="default", Policy=policy) == code
    assert refused(kms.create_key, Policy=policy) == code
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "x"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


def test_whole_policy_is_kept(aws: ControlPlane) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [WHOLE]})
    secrets, kms = aws.client("secretsmanager"), aws.client("kms")
    secrets.create_secret(Name="s", SecretString="x")
    secrets.put_resource_policy(SecretId="s", ResourcePolicy=policy)
    assert secrets.get_resource_policy(SecretId="s")["ResourcePolicy"] == policy
    key = kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
    assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == policy


def test_simulator_refuses_what_is_no_policy_and_no_principal(aws: ControlPlane) -> None:
    iam = aws.client("iam")
    asked: dict[str, Any] = {"ActionNames": ["s3:GetObject"]}
    assert refused(iam.simulate_custom_policy, PolicyInputList=["no json"], **asked) == "InvalidInput"
    assert refused(iam.simulate_principal_policy, PolicySourceArn="arn:aws:iam::operator", **asked) == "InvalidInput"
