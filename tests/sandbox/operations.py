"""Which API operations the sandbox answers, found out by calling all of them. Run as a program, it writes docs/sandbox.md anew.

Each operation is called once, with the least that botocore's model asks for, so most of what answers answers that a thing does not
exist. What counts is whether it is refused by name.
"""

import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "sandbox.md"
START, END = "<!-- generated: operations -->\n", "\n<!-- end -->"
SERVICES = (
    "accessanalyzer",
    "application-autoscaling",
    "cloudtrail",
    "cloudwatch",
    "codebuild",
    "ec2",
    "ecr",
    "ecs",
    "elasticache",
    "elbv2",
    "events",
    "iam",
    "kms",
    "logs",
    "rds",
    "resourcegroupstaggingapi",
    "s3",
    "secretsmanager",
    "servicediscovery",
    "sns",
    "sqs",
    "ssm",
    "sts",
)
# hosts that are no AWS service of their own
_ELSEWHERE = ("UnknownService",)


@dataclass(frozen=True)
class Answer:
    """What an operation answered.

    Attributes:
        service: botocore's name of the service.
        operation: Such as `CreateBucket`.
        status: The HTTP status.
        code: The error code; empty for a success.
        message: The error's message.
    """

    service: str
    operation: str
    status: int
    code: str = ""
    message: str = ""

    @property
    def refused(self) -> bool:
        """Whether the operation itself is refused by name, whatever its parameters are."""
        return f":{self.operation} is not supported by the sandbox" in self.message or self.code in _ELSEWHERE


def call_all(access_key: str, secret_key: str, proxy: str, bundle: str) -> Iterator[Answer]:
    """Call every operation of every service that the sandbox plays, through the gateway at `proxy`."""
    session = boto3.Session(access_key, secret_key, region_name="us-east-1")
    config = Config(proxies={"https": proxy}, retries={"total_max_attempts": 1})
    clients = [session.client(service, verify=bundle, config=config) for service in SERVICES]
    with ThreadPoolExecutor(max_workers=3) as pool:  # while one writes its request, the sandbox answers another
        for answers in pool.map(_call_service, SERVICES, clients):
            yield from answers


def section(answers: list[Answer]) -> str:
    """The generated part of the page."""
    lines = ["| service | answer | refused by name |", "|---|---:|---:|"]
    for service in SERVICES:
        lines.append(
            f"| [{service}](#{service}) | {len(_names(answers, service))} | {len(_names(answers, service, refused=True))} |"
        )
    for service in SERVICES:
        lines += ["", f"#### {service}", "", _folded("answer", _names(answers, service)), ""]
        lines.append(_folded("are refused by name", _names(answers, service, refused=True)))
    return "\n".join(lines)


def _call_service(service: str, client: Any) -> list[Answer]:
    return [_call(client, service, operation) for operation in client.meta.service_model.operation_names]


def _call(client: Any, service: str, operation: str) -> Answer:
    shape = client.meta.service_model.operation_model(operation).input_shape
    try:
        getattr(client, xform_name(operation))(**(_least(shape) if shape else {}))
    except ClientError as error:
        told = error.response.get("Error", {})
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return Answer(service, operation, status, told.get("Code", ""), told.get("Message") or "")
    return Answer(service, operation, 200)


def _least(shape: Any, inside: tuple[str, ...] = ()) -> Any:
    """A value of a shape with nothing in it that is not required."""
    kind = shape.type_name
    if kind == "structure":
        if shape.name in inside:
            return {}
        members = shape.required_members or (list(shape.members)[:1] if shape.is_tagged_union else [])
        return {member: _least(shape.members[member], (*inside, shape.name)) for member in members}
    if kind == "list":
        return [_least(shape.member, inside)] * max(1, shape.metadata.get("min", 1))
    if kind == "string":
        return shape.enum[0] if shape.enum else "papers".ljust(shape.metadata.get("min", 0), "0")
    values = {"map": {}, "boolean": True, "blob": b"x", "timestamp": datetime(2026, 11, 24, tzinfo=UTC)}
    return values.get(kind, max(1, shape.metadata.get("min", 1)))


def _names(answers: list[Answer], service: str, *, refused: bool = False) -> list[str]:
    return [one.operation for one in answers if one.service == service and one.refused == refused]


def _folded(what: str, names: list[str]) -> str:
    title = f"<details><summary>{len(names)} operations {what}</summary>"
    return f"{title}\n\n{', '.join(names) or 'none'}\n\n</details>"


def main() -> None:
    """Start a sandbox, call everything, write the page, and take the sandbox down."""
    from ragonotebooks.sandbox import client
    from ragonotebooks.sandbox.authority import BUNDLE_FILE
    from ragonotebooks.sandbox.state import folder_of

    name = f"docs-{secrets.token_hex(4)}"
    state = client.up(name)
    try:
        bundle = str(folder_of(name) / BUNDLE_FILE)
        answers = list(call_all(state.access_key, state.secret_key, f"http://127.0.0.1:{state.port}", bundle))
    finally:
        client.down(name)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{START}{section(answers)}{END}{after}", encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(answers)} operations, {sum(one.refused for one in answers)} refused by name\n")


if __name__ == "__main__":
    main()
