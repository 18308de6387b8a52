"""Programs that know nothing of the sandbox work on it after `eval "$(ragonotebooks sandbox env)"`, unchanged."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ragonotebooks.sandbox import client
from tests.sandbox.conftest import Sandbox

# what a developer's own shell may hold
MISLEADING = {
    "AWS_PROFILE": "mine",
    "AWS_SESSION_TOKEN": "stale",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
}
PSQL = r"""
group=$(python - <<'END'
import boto3, urllib.request
ec2, rds = boto3.client("ec2"), boto3.client("rds")
mine = urllib.request.urlopen("https://checkip.amazonaws.com").read().decode().strip()
group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp=f"{mine}/32")
rds.create_db_instance(
    DBInstanceIdentifier="foreign", Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
    MasterUsername="ragonometrics", MasterUserPassword="not-a-secret", DBName="papers", PubliclyAccessible=True,
)
rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="foreign")
endpoint = rds.describe_db_instances(DBInstanceIdentifier="foreign")["DBInstances"][0]["Endpoint"]
print(f"host={endpoint['Address']} port={endpoint['Port']}")
END
)
export PGPASSWORD=not-a-secret
psql "$group user=ragonometrics dbname=papers sslmode=verify-full" -At \
    -c "create extension vector" -c "select '[1,2]'::vector <-> '[1,5]'::vector"
"""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def shell(sandbox: Sandbox, script: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script in a shell that got the sandbox's environment; `python` is this one."""
    evaluated = f'eval "$({sys.executable} -m ragonotebooks sandbox env --name {sandbox.state.name})"\n{script}'
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, **MISLEADING, "PATH": path, "AWS_PAGER": ""}
    return subprocess.run(
        ["sh", "-c", evaluated], env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def output(sandbox: Sandbox, script: str, folder: Path | None = None) -> str:
    """What a script that ends well prints."""
    done = shell(sandbox, script, folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def python(program: str) -> str:
    return f"python - <<'END'\n{program}\nEND"


def test_boto3_in_another_program(sandbox: Sandbox) -> None:
    program = (
        "import boto3\n"
        "s3 = boto3.client('s3')\n"
        "s3.create_bucket(Bucket='foreign-boto3')\n"
        "s3.put_object(Bucket='foreign-boto3', Key='a', Body=b'text')\n"
        "print(boto3.client('sts').get_caller_identity()['Account'], s3.get_object(Bucket='foreign-boto3', Key='a')['Body'].read())"
    )
    assert output(sandbox, python(program)) == "123456789012 b'text'"


def test_presigned_urls_are_read_and_written_by_programs_without_credentials(sandbox: Sandbox) -> None:
    program = (
        "import boto3, requests\n"
        "from botocore.config import Config\n"
        "for version in ('s3', 's3v4'):\n"
        "    s3 = boto3.client('s3', config=Config(signature_version=version))\n"
        "    where = {'Bucket': f'foreign-{version}', 'Key': 'a b/ü'}\n"
        "    boto3.client('s3').create_bucket(Bucket=where['Bucket'])\n"
        "    put = s3.generate_presigned_url('put_object', Params=where)\n"
        "    get = s3.generate_presigned_url('get_object', Params=where)\n"
        "    print(requests.put(put, data=b'text').status_code, requests.get(get).text, requests.get(get + '0').status_code)\n"
    )
    assert output(sandbox, python(program)).splitlines() == ["200 text 403"] * 2


def test_python_without_any_package(sandbox: Sandbox) -> None:
    program = (
        "import urllib.error, urllib.request\n"
        "try:\n"
        "    urllib.request.urlopen('https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15')\n"
        "except urllib.error.HTTPError as error:\n"
        "    print(error.code, 'MissingAuthenticationToken' in error.read().decode())\n"
    )
    assert output(sandbox, python(program)) == "403 True"


@needs("curl")
def test_curl_is_answered_in_the_services_own_words(sandbox: Sandbox) -> None:
    url = "'https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15'"
    assert "<Code>MissingAuthenticationToken</Code>" in output(sandbox, f"curl -sS {url}")
    target = "-H 'X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters' -H 'Content-Type: application/x-amz-json-1.1'"
    json = output(sandbox, f"curl -sS {target} -d '{{}}' https://ecs.us-east-1.amazonaws.com/")
    assert '"__type": "MissingAuthenticationTokenException"' in json
    signed = output(
        sandbox,
        f'curl -sS --aws-sigv4 aws:amz:us-east-1:sts --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" {url}',
    )
    assert "<Arn>arn:aws:iam::123456789012:user/operator</Arn>" in signed


@needs("curl")
def test_curl_reaches_nothing_else(sandbox: Sandbox) -> None:
    done = shell(sandbox, "curl -sS https://example.com")
    assert done.returncode != 0
    assert "403" in done.stderr
    headers = output(sandbox, "curl -sSi http://example.com")
    assert "403 blocked by the sandbox: example.com is not a host that it plays" in headers


@needs("psql")
def test_psql_verifies_the_certificate_of_a_database(sandbox: Sandbox) -> None:
    assert output(sandbox, PSQL).splitlines() == ["CREATE EXTENSION", "3"]


@needs("aws")
def test_the_aws_command_line(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a b.txt").write_text("text")
    (tmp_path / "large").write_bytes(os.urandom(20_000_000))
    script = """
        set -e
        aws sts get-caller-identity --query Account --output text
        aws s3 mb s3://foreign-aws
        aws s3 sync --quiet here s3://foreign-aws/here && aws s3 sync --quiet s3://foreign-aws/here there && diff -r here there
        aws s3 cp --quiet large s3://foreign-aws && aws s3 cp --quiet s3://foreign-aws/large - | cmp - large
        python -c 'import requests, sys; print(requests.get(sys.argv[1]).text)' "$(aws s3 presign "s3://foreign-aws/here/a b.txt")"
        aws secretsmanager create-secret --name foreign --secret-string hidden --query Name --output text
        aws secretsmanager get-secret-value --secret-id foreign --query SecretString --output text
        aws s3 rb --force s3://foreign-aws | tail -1
    """
    lines = ["123456789012", "make_bucket: foreign-aws", "text", "foreign", "hidden", "remove_bucket: foreign-aws"]
    assert output(sandbox, script, tmp_path).splitlines() == lines


def test_endpoints_of_a_persons_own_are_not_asked(sandbox: Sandbox) -> None:
    variables = client.environment(sandbox.state)
    assert not variables.keys() & set(client.FOREIGN_VARIABLES)
    assert output(sandbox, 'echo "${AWS_ENDPOINT_URL-unset} ${AWS_PROFILE-unset}"') == "unset unset"


def test_page_names_every_variable_that_is_set_or_unset(sandbox: Sandbox) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [
        name for name in (*client.environment(sandbox.state), *client.FOREIGN_VARIABLES) if f"`{name}`" not in page
    ] == []
