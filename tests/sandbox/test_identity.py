"""Who calls, and whether they may: with boto3 against the control plane in this process."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ragonotebooks.errors import RagonotebooksError
from ragonotebooks.sandbox.aws.identity import assume_role_for_service
from ragonotebooks.sandbox.ledger import Call, current_call
from tests.sandbox.conftest import ACCOUNT, ControlPlane

TASKS = "ecs-tasks.amazonaws.com"
# one read of each wire format: query, EC2, REST-XML, JSON, REST-JSON
READS = [
    ("sts", "get_caller_identity"),
    ("rds", "describe_db_instances"),
    ("ec2", "describe_vpcs"),
    ("s3", "list_buckets"),
    ("secretsmanager", "list_secrets"),
    ("ecs", "list_clusters"),
    ("lambda", "list_functions"),
]
UNKNOWN_KEY = {
    "sts": "InvalidClientTokenId",
    "rds": "InvalidClientTokenId",
    "ec2": "AuthFailure",
    "s3": "InvalidAccessKeyId",
    "secretsmanager": "UnrecognizedClientException",
    "ecs": "UnrecognizedClientException",
    "lambda": "UnrecognizedClientException",
}
WRONG_SECRET = {
    "sts": "SignatureDoesNotMatch",
    "rds": "SignatureDoesNotMatch",
    "ec2": "AuthFailure",
    "s3": "SignatureDoesNotMatch",
    "secretsmanager": "InvalidSignatureException",
    "ecs": "InvalidSignatureException",
    "lambda": "InvalidSignatureException",
}
EXPIRED = {
    "sts": "ExpiredToken",
    "rds": "ExpiredToken",
    "ec2": "RequestExpired",
    "s3": "ExpiredToken",
    "secretsmanager": "ExpiredTokenException",
    "ecs": "ExpiredTokenException",
    "lambda": "ExpiredTokenException",
}
DENIED = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied", "rds": "AccessDenied"}


def trust(principal: dict[str, Any], **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(action: Any, resource: Any = "*", **more: Any) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, **more}]}
    )


def session_of_task(aws: ControlPlane, *policies: str) -> dict[str, str]:
    """The credentials of a task whose role has these inline policies."""
    iam = aws.client("iam")
    role = iam.create_role(RoleName="job", AssumeRolePolicyDocument=trust({"Service": TASKS}))["Role"]
    for number, document in enumerate(policies):
        iam.put_role_policy(RoleName="job", PolicyName=f"p{number}", PolicyDocument=document)
    given = assume_role_for_service(role["Arn"], TASKS, "run")
    return {"key": given["AccessKeyId"], "secret": given["SecretAccessKey"], "token": given["Token"]}


def refusal(call: Any, **arguments: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value


def code(call: Any, **arguments: Any) -> str:
    return str(refusal(call, **arguments).response["Error"]["Code"])


def test_operator_is_an_administrator_by_name(aws: ControlPlane) -> None:
    assert aws.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/operator"
    attached = aws.client("iam").list_attached_user_policies(UserName="operator")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AdministratorAccess"]


@pytest.mark.parametrize(("service", "operation"), READS)
def test_each_service_says_in_its_own_words_who_is_not_known(aws: ControlPlane, service: str, operation: str) -> None:
    key, secret = aws.operator
    getattr(aws.client(service), operation)()
    stranger = aws.client(service, "AKIASTRANGER00000000", secret)
    assert code(getattr(stranger, operation)) == UNKNOWN_KEY[service]
    assert code(getattr(aws.client(service, key, "wrong"), operation)) == WRONG_SECRET[service]


@pytest.mark.parametrize(("service", "operation"), READS)
def test_session_needs_its_token_and_ends(aws: ControlPlane, service: str, operation: str) -> None:
    from moto.sts.models import sts_backends

    session = session_of_task(aws, allow("*"))
    getattr(aws.client(service, **session), operation)()
    without = {**session, "token": None}
    wrong = {**session, "token": "another"}
    assert code(getattr(aws.client(service, **without), operation)) in (UNKNOWN_KEY[service], "InvalidToken")
    assert code(getattr(aws.client(service, **wrong), operation)) in (UNKNOWN_KEY[service], "InvalidToken")
    sts_backends[ACCOUNT]["aws"].assumed_roles[0].expiration -= timedelta(days=1)
    assert code(getattr(aws.client(service, **session), operation)) == EXPIRED[service]


@pytest.mark.parametrize(("service", "operation"), READS[1:])
def test_role_without_a_policy_may_nothing(aws: ControlPlane, service: str, operation: str) -> None:
    session = session_of_task(aws)
    error = refusal(getattr(aws.client(service, **session), operation))
    assert error.response["Error"]["Code"] == DENIED.get(service, "AccessDeniedException")
    message = error.response["Error"]["Message"]
    assert f"User: arn:aws:sts::{ACCOUNT}:assumed-role/job/run is not authorized to perform: {service}:" in message
    assert "because no identity-based policy allows the" in message


def test_anybody_known_may_ask_who_they_are(aws: ControlPlane) -> None:
    identity = aws.client("sts", **session_of_task(aws)).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/job/run"


def test_role_may_what_its_policy_says_and_no_more(aws: ControlPlane) -> None:
    aws.client("s3").create_bucket(Bucket="papers")
    session = session_of_task(
        aws,
        allow("s3:GetObject", "arn:aws:s3:::papers/raw/*"),
        allow("s3:ListBucket", "arn:aws:s3:::papers", Condition={"StringLike": {"s3:prefix": "raw/*"}}),
    )
    aws.client("s3").put_object(Bucket="papers", Key="raw/a", Body=b"text")
    s3 = aws.client("s3", **session)
    assert s3.get_object(Bucket="papers", Key="raw/a")["Body"].read() == b"text"
    assert s3.head_object(Bucket="papers", Key="raw/a")["ContentLength"] == 4
    assert s3.list_objects_v2(Bucket="papers", Prefix="raw/")["KeyCount"] == 1
    error = refusal(s3.put_object, Bucket="papers", Key="raw/a", Body=b"")
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert error.response["Error"]["Message"] == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/job/run is not authorized to perform: s3:PutObject on resource: "
        '"arn:aws:s3:::papers/raw/a" because no identity-based policy allows the s3:PutObject action'
    )
    assert code(s3.list_objects_v2, Bucket="papers") == "AccessDenied"
    assert code(s3.get_object, Bucket="papers", Key="other") == "AccessDenied"
    assert code(s3.delete_objects, Bucket="papers", Delete={"Objects": [{"Key": "raw/a"}]}) == "AccessDenied"
    assert aws.client("s3").get_object(Bucket="papers", Key="raw/a")["Body"].read() == b"text"


def test_copy_needs_to_read_its_source(aws: ControlPlane) -> None:
    operator = aws.client("s3")
    operator.create_bucket(Bucket="papers")
    operator.put_object(Bucket="papers", Key="a", Body=b"")
    s3 = aws.client("s3", **session_of_task(aws, allow("s3:PutObject"), allow("s3:GetObject", "arn:aws:s3:::papers/b")))
    assert "s3:GetObject" in str(refusal(s3.copy_object, Bucket="papers", Key="c", CopySource="papers/a"))
    operator.put_object(Bucket="papers", Key="b", Body=b"")
    s3.copy_object(Bucket="papers", Key="c", CopySource="papers/b")


def test_secret_is_known_by_name_and_by_arn(aws: ControlPlane) -> None:
    secrets = aws.client("secretsmanager")
    arn = secrets.create_secret(Name="app/db", SecretString="word")["ARN"]
    secrets.create_secret(Name="app/other", SecretString="word")
    task = aws.client("secretsmanager", **session_of_task(aws, allow("secretsmanager:GetSecretValue", arn)))
    for identifier in ("app/db", arn):
        assert task.get_secret_value(SecretId=identifier)["SecretString"] == "word"
    assert code(task.get_secret_value, SecretId="app/other") == "AccessDeniedException"


def test_parameters_need_permission_one_by_one(aws: ControlPlane) -> None:
    for name in ("/app/a", "/app/b", "/other/c"):
        aws.client("ssm").put_parameter(Name=name, Value="v", Type="String")
    arn = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/app/*"
    ssm = aws.client("ssm", **session_of_task(aws, allow("ssm:Get*", arn)))
    assert len(ssm.get_parameters(Names=["/app/a", "/app/b"])["Parameters"]) == 2
    assert ssm.get_parameters_by_path(Path="/app/x") is not None
    assert code(ssm.get_parameters, Names=["/app/a", "/other/c"]) == "AccessDeniedException"


def test_key_policy_comes_before_identity_policies(aws: ControlPlane) -> None:
    kms = aws.client("kms")
    session = session_of_task(aws, allow("kms:*"))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    task = aws.client("kms", **session)
    assert task.encrypt(KeyId="alias/app", Plaintext=b"x")["KeyId"]
    only_operator = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/operator"}
    statement = {"Effect": "Allow", "Principal": only_operator, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert "no resource-based policy allows the kms:Encrypt" in str(refusal(task.encrypt, KeyId=key, Plaintext=b"x"))
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_log_streams_are_kept_apart(aws: ControlPlane) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/app/job")
    logs.create_log_group(logGroupName="/app/other")
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/app/job:*"
    task = aws.client("logs", **session_of_task(aws, allow(["logs:CreateLogStream", "logs:PutLogEvents"], arn)))
    task.create_log_stream(logGroupName="/app/job", logStreamName="s")
    task.put_log_events(logGroupName="/app/job", logStreamName="s", logEvents=[{"timestamp": 1, "message": "m"}])
    assert code(task.create_log_stream, logGroupName="/app/other", logStreamName="s") == "AccessDeniedException"


def test_tags_are_given_only_with_permission(aws: ControlPlane) -> None:
    secrets = aws.client("secretsmanager", **session_of_task(aws, allow("secretsmanager:CreateSecret")))
    error = refusal(secrets.create_secret, Name="api", SecretString="s", Tags=[{"Key": "deployment", "Value": "demo"}])
    assert "secretsmanager:TagResource" in str(error)
    secrets.create_secret(Name="api", SecretString="s")


def test_a_queue_that_is_named_by_its_url_has_its_arn_judged(aws: ControlPlane) -> None:
    urls = [aws.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("own", "other")]
    sqs = aws.client("sqs", **session_of_task(aws, allow("sqs:*", f"arn:aws:sqs:us-east-1:{ACCOUNT}:own")))
    sqs.receive_message(QueueUrl=urls[0])
    assert "sqs:receivemessage" in str(refusal(sqs.receive_message, QueueUrl=urls[1])).lower()


def test_roles_are_passed_only_with_permission(aws: ControlPlane) -> None:
    iam = aws.client("iam")
    for name in ("task", "execution"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": TASKS}))
    roles = {f"{name}RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("task", "execution")}
    definition = {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 64}], **roles}
    passing = {"Condition": {"StringEquals": {"iam:PassedToService": TASKS}}}
    ecs = aws.client(
        "ecs", **session_of_task(aws, allow("ecs:*"), allow("iam:PassRole", roles["taskRoleArn"], **passing))
    )
    error = refusal(ecs.register_task_definition, **definition)
    assert f"iam:PassRole on resource: {roles['executionRoleArn']}" in str(error)
    iam.put_role_policy(
        RoleName="job", PolicyName="more", PolicyDocument=allow("iam:PassRole", roles["executionRoleArn"], **passing)
    )
    assert ecs.register_task_definition(**definition)["taskDefinition"]["revision"] == 1


def test_boundary_and_session_policy_limit_a_role(aws: ControlPlane) -> None:
    iam = aws.client("iam")
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=allow("s3:ListAllMyBuckets"))["Policy"]["Arn"]
    session = session_of_task(aws, allow("*"))
    assert aws.client("ec2", **session).describe_vpcs()
    iam.put_role_permissions_boundary(RoleName="job", PermissionsBoundary=boundary)
    assert "no permissions boundary allows" in str(refusal(aws.client("ec2", **session).describe_vpcs))
    assert aws.client("s3", **session).list_buckets()
    iam.delete_role_permissions_boundary(RoleName="job")
    iam.update_assume_role_policy(RoleName="job", PolicyDocument=trust({"AWS": ACCOUNT}))
    narrow = aws.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/job", RoleSessionName="narrow", Policy=allow("s3:*")
    )["Credentials"]
    given = {"key": narrow["AccessKeyId"], "secret": narrow["SecretAccessKey"], "token": narrow["SessionToken"]}
    assert aws.client("s3", **given).list_buckets()
    assert "no session policy allows" in str(refusal(aws.client("ec2", **given).describe_vpcs))


def test_role_is_assumed_only_by_whom_it_trusts(aws: ControlPlane) -> None:
    iam, sts = aws.client("iam"), aws.client("sts")
    role = iam.create_role(RoleName="job", AssumeRolePolicyDocument=trust({"Service": TASKS}))["Role"]["Arn"]
    assume = {"RoleArn": role, "RoleSessionName": "run"}
    assert code(sts.assume_role, **assume) == "AccessDenied"
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": "word"}}}
    iam.update_assume_role_policy(RoleName="job", PolicyDocument=trust({"AWS": ACCOUNT}, **condition))
    assert code(sts.assume_role, **assume) == "AccessDenied"
    assert sts.assume_role(**assume, ExternalId="word")["Credentials"]
    with pytest.raises(RagonotebooksError, match=f"{TASKS} may not assume"):
        assume_role_for_service(role, TASKS, "run")
    with pytest.raises(RagonotebooksError, match="does not exist"):
        assume_role_for_service(f"{role}-other", TASKS, "run")


def test_user_is_known_by_key_until_it_is_switched_off(aws: ControlPlane) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    iam.create_group(GroupName="readers")
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=allow("s3:ListAllMyBuckets"))
    s3 = aws.client("s3", key["AccessKeyId"], key["SecretAccessKey"])
    assert code(s3.list_buckets) == "AccessDenied"
    iam.add_user_to_group(GroupName="readers", UserName="ann")
    assert s3.list_buckets()["Buckets"] == []
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert code(s3.list_buckets) == "InvalidAccessKeyId"


def test_managed_policies_of_aws_are_there(aws: ControlPlane) -> None:
    session = session_of_task(aws)
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    aws.client("iam").attach_role_policy(RoleName="job", PolicyArn=arn)
    assert aws.client("ecr", **session).get_authorization_token()["authorizationData"]
    assert code(aws.client("ecr", **session).describe_repositories) == "AccessDeniedException"


def test_simulator_decides_as_the_guard_does(aws: ControlPlane) -> None:
    session_of_task(aws, allow("s3:Get*", "arn:aws:s3:::papers/*"))
    results = aws.client("iam").simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/job",
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::papers/a"],
    )["EvaluationResults"]
    assert {r["EvalActionName"]: r["EvalDecision"] for r in results} == {
        "s3:GetObject": "allowed",
        "s3:PutObject": "implicitDeny",
    }
    custom = aws.client("iam").simulate_custom_policy(
        PolicyInputList=[allow("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})],
        ActionNames=["s3:GetObject"],
        ContextEntries=[
            {"ContextKeyName": "aws:MultiFactorAuthPresent", "ContextKeyValues": ["true"], "ContextKeyType": "boolean"}
        ],
    )["EvaluationResults"]
    assert custom[0]["EvalDecision"] == "allowed"


@pytest.mark.parametrize("config", [{}, {"config": {"signature_version": "s3v4"}}], ids=["boto3's default", "v4"])
def test_presigned_url_is_its_signers_word(aws: ControlPlane, config: dict[str, Any]) -> None:
    operator = aws.client("s3", **config)
    operator.create_bucket(Bucket="papers")
    key = "a b/ä+c.txt"
    put = operator.generate_presigned_url("put_object", Params={"Bucket": "papers", "Key": key})
    assert aws.fetch(put, "PUT", data=b"text").status_code == 200
    get = operator.generate_presigned_url("get_object", Params={"Bucket": "papers", "Key": key}, ExpiresIn=60)
    assert aws.fetch(get).content == b"text"
    assert aws.fetch(get.replace("a%20b", "a%20c")).status_code == 403
    late = operator.generate_presigned_url("get_object", Params={"Bucket": "papers", "Key": key}, ExpiresIn=-1)
    assert "Request has expired" in aws.fetch(late).text
    powerless = aws.client("s3", **session_of_task(aws), **config)
    denied = powerless.generate_presigned_url("get_object", Params={"Bucket": "papers", "Key": key})
    assert "is not authorized to perform: s3:GetObject" in aws.fetch(denied).text


def test_presigned_url_of_another_service_works(aws: ControlPlane) -> None:
    url = aws.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert "user/operator" in aws.fetch(url).text


def test_signature_of_another_kind_is_refused_by_name(aws: ControlPlane) -> None:
    old = aws.client("s3", config={"signature_version": "s3"})
    assert "AWS4-HMAC-SHA256" in str(refusal(old.list_buckets))


def test_unsigned_call_of_another_service_is_refused(aws: ControlPlane) -> None:
    form = {"Action": "DescribeDBInstances", "Version": "2014-10-31"}
    answer = aws.fetch("https://rds.us-east-1.amazonaws.com/", "POST", data=form)
    assert (answer.status_code, "<Code>MissingAuthenticationToken</Code>" in answer.text) == (403, True)
    target = {"X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1"}
    answer = aws.fetch("https://secretsmanager.us-east-1.amazonaws.com/", "POST", data="{}", headers=target)
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_call_is_told_to_the_ledger() -> None:
    from ragonotebooks.sandbox.aws.guard import guarded
    from ragonotebooks.sandbox.aws.identity import Operator

    call = Call()
    token = current_call.set(call)
    try:
        app = guarded(Operator(ACCOUNT, "AKIAOPERATOR00000000", "secret"))
        _answers(app, "PUT", "/papers", "versioning")
    finally:
        current_call.reset(token)
    told = (call.caller, call.service, call.action, call.resource, call.mutating, call.error)
    assert told == ("anonymous", "s3", "PutBucketVersioning", "arn:aws:s3:::papers", True, "AccessDenied")


def _answers(app: Any, method: str, path: str, query: str) -> None:
    from io import BytesIO

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "s3.amazonaws.com",
        "SERVER_NAME": "s3.amazonaws.com",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(),
    }
    list(app(environ, lambda *_: None))
