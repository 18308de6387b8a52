"""Every operation of the services that the deployment uses either answers or is refused by name, and the page says which."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Sandbox, running_sandbox
from tests.sandbox.operations import END, PAGE, START, Answer, call_all, section

# what moto does not check before it uses it: parameters that AWS asks for and botocore's model does not, or unknown ids
NOT_CHECKED = {
    ("cloudtrail", "GetInsightSelectors"),
    ("ec2", "DeleteManagedPrefixList"),
    ("ec2", "ModifyManagedPrefixList"),
    ("ec2", "ModifySecurityGroupRules"),
    ("ec2", "ReplaceNetworkAclAssociation"),
    ("ecr", "PutRegistryScanningConfiguration"),
    ("ecs", "TagResource"),
    ("elbv2", "CreateRule"),
    ("iam", "CreateServiceLinkedRole"),
    ("kms", "GenerateRandom"),
    ("kms", "RetireGrant"),
    ("s3", "UploadPartCopy"),
    ("secretsmanager", "TagResource"),
}
# one or two operations of each wire format
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("ec2", "run_instances", {"MinCount": 1, "MaxCount": 1}),
    ("ec2", "describe_images", {}),
    ("ecr", "describe_pull_through_cache_rules", {}),
    ("iam", "list_service_specific_credentials", {}),
    ("logs", "start_live_tail", {"logGroupIdentifiers": ["g"]}),
    ("rds", "create_db_cluster", {"DBClusterIdentifier": "c", "Engine": "aurora-postgresql"}),
    ("s3", "get_object_torrent", {"Bucket": "papers", "Key": "k"}),
    ("secretsmanager", "rotate_secret", {"SecretId": "s"}),
    ("ssm", "send_command", {"DocumentName": "AWS-RunShellScript"}),
    ("sts", "get_session_token", {}),
]


@pytest.fixture(scope="module")
def answers() -> Iterator[list[Answer]]:
    with running_sandbox() as alone:
        state = alone.state
        yield list(call_all(state.access_key, state.secret_key, alone.proxy, alone.bundle))


def test_every_operation_answers_or_is_refused_by_name(answers: list[Answer]) -> None:
    faults = {(one.service, one.operation) for one in answers if one.code == "SandboxFailure"}
    assert faults <= NOT_CHECKED
    assert [one for one in answers if one.status >= 500] == []
    assert len(answers) > 2000


def test_refusals_are_errors_that_clients_do_not_repeat(answers: list[Answer]) -> None:
    assert {one.status for one in answers if one.refused} == {400}
    assert all(one.code for one in answers if one.refused)


def test_page_lists_the_operations_as_they_are(answers: list[Answer]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    written = page.partition(START)[2].partition(END)[0]
    assert written == section(answers), f"write {PAGE.name} anew: python -m tests.sandbox.operations"


@pytest.mark.parametrize(("service", "operation", "arguments"), REFUSED)
def test_refused_operation_names_itself_in_the_services_own_format(
    sandbox: Sandbox, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    client = sandbox.client(service)
    name = client.meta.method_to_api_mapping[operation]
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    error, status = caught.value.response["Error"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    assert (error["Code"], status) == ("NotImplemented", 400)
    assert error["Message"] == f"{service}:{name} is not supported by the sandbox"
