"""What `make bench` prints: each figure as the median of five runs or more, or as a ratio to a bare peer in the same run.

Machines are noisy: peers are measured in turn, A B A B, and nothing here is asserted.
"""

import json
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import nbformat
import psycopg

from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.ledger import read_ledger
from ragonotebooks.sandbox.state import folder_of
from tests.bench.common import COMMAND, RUNS, aws, report, run, sandbox, seconds
from tests.bench.google_cloud import both_clouds, google_calls
from tests.bench.services import services
from tests.bench.vectors import vectors

CALLS = 200
OF_A_TASK = re.compile(r":assumed-role/|\.gserviceaccount\.com$")


def main(names: list[str]) -> None:
    """Measure everything, or what is named."""
    for measure in (imports, start, calls, google_calls, database, both_clouds, engine, vectors, services, deployment):
        if not names or measure.__name__ in names:
            measure()


def imports() -> None:
    """`import ragonotebooks`, above a bare interpreter."""
    bare = [seconds(run, sys.executable, "-c", "pass") for _ in range(RUNS)]
    ours = [seconds(run, sys.executable, "-c", "import ragonotebooks") for _ in range(RUNS)]
    report("import ragonotebooks", statistics.median(ours) - statistics.median(bare), "s", 0.3)


def start() -> None:
    """A sandbox from nothing to its first answer."""
    taken = []
    for _ in range(RUNS):
        name = f"bench-{secrets.token_hex(3)}"
        taken.append(seconds(lambda name=name: aws("sts", name).get_caller_identity()))
        client.down(name)
    report("the sandbox up and answering its first call", statistics.median(taken), "s", 2.5)


def calls() -> None:
    """A boto3 call through the sandbox, against a bare moto_server in the same moment."""
    with sandbox() as name, bare_moto() as url:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        peers = [aws(service, name) for service in ("sts", "s3")]
        bare = [boto3.Session(**keys).client(service, endpoint_url=url) for service in ("sts", "s3")]
        for s3 in (peers[1], bare[1]):
            s3.create_bucket(Bucket="bench-bucket")
        for title, call in (
            ("STS GetCallerIdentity", lambda sts, _: sts.get_caller_identity()),
            ("S3 put of 1 kB", lambda _, s3: s3.put_object(Bucket="bench-bucket", Key="key", Body=b"x" * 1024)),
        ):
            pairs = [
                (repeated(lambda: call(*peers)), repeated(lambda: call(*bare)))  # noqa: B023 - called at once
                for _ in range(RUNS)
            ]
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            each = statistics.median(ours for ours, _ in pairs) / CALLS * 1000
            report(f"{title}, against moto_server ({each:.1f} ms here)", ratio, "×", 1.3)


def database() -> None:
    """An RDS instance from the call to the first query, and the memory of a sandbox that has one."""
    with sandbox() as name:
        rds, ec2 = aws("rds", name), aws("ec2", name)
        group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="0.0.0.0/0"
        )
        taken = []
        for number in range(RUNS):
            taken.append(seconds(first_query, rds, f"bench-{number}"))
            if number < RUNS - 1:
                rds.delete_db_instance(DBInstanceIdentifier=f"bench-{number}", SkipFinalSnapshot=True)
        report("an RDS instance from the call to the first query", statistics.median(taken), "s", 2.5)
        status = json.loads(run(*COMMAND, "sandbox", "status", "--name", name, "--json"))
        report("resident memory of the sandbox with one database", status["memory_mb"], "MB", 350)


def engine() -> None:
    """Our engine against plain papermill, on a notebook of 40 cells."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forty.ipynb"
        cells = [nbformat.v4.new_code_cell(f"sum(range({number}))") for number in range(40)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
        ratios = []
        for number in range(RUNS + 2):
            ours = seconds(run, *COMMAND, "run", str(path), "--out", f"{folder}/run-{number}", "--name", "bench-none")
            theirs = seconds(run, sys.executable, "-m", "papermill", str(path), f"{folder}/out.ipynb")
            ratios.append(ours / theirs)
        report("`ragonotebooks run` against `papermill`, 40 cells", statistics.median(ratios), "×", 1.05)


def deployment() -> None:
    """The runbooks that deploy, each in a fresh sandbox, and once more when everything is there."""
    for runbook, limits, runs in (
        ("deploy-index-aws", (40, 25), RUNS),
        ("deploy-aws", (90, 40), 3),
        ("deploy-gcp", (90, 40), 3),
    ):
        first, second, changes = [], [], set[str]()
        for _ in range(runs):
            name = f"bench-{secrets.token_hex(3)}"
            first.append(seconds(deploy, runbook, name))
            before = sum(1 for _ in read_ledger(folder_of(name), mutating_only=True))
            second.append(seconds(deploy, runbook, name))
            calls = list(read_ledger(folder_of(name), mutating_only=True))[before:]
            changes |= {f"{call.service}:{call.action}" for call in calls if not OF_A_TASK.search(call.caller)}
            client.down(name)
        report(f"`ragonotebooks run {runbook}`, whole", statistics.median(first), "s", limits[0])
        report(f"`ragonotebooks run {runbook}`, everything there", statistics.median(second), "s", limits[1])
        sys.stdout.write(f"  its mutating calls, what its tasks do aside: {sorted(changes) or 'none'}\n")


def deploy(runbook: str, name: str) -> None:
    """One run of a runbook, its evidence thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        run(*COMMAND, "run", runbook, "--name", name, "--out", f"{folder}/run")


def first_query(rds: Any, identifier: str) -> None:
    """Create an instance, wait as a program would, connect as a program would."""
    login = {"MasterUsername": "bench", "MasterUserPassword": "correct-horse"}
    rds.create_db_instance(
        DBInstanceIdentifier=identifier,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        DBName="bench",
        PubliclyAccessible=True,
        **login,
    )
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=identifier)
    where = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]["Endpoint"]
    with psycopg.connect(
        host=where["Address"], port=where["Port"], user="bench", password="correct-horse", dbname="bench"
    ) as connection:
        connection.execute("SELECT 1")


@contextmanager
def bare_moto() -> Iterator[str]:
    """A moto_server as its users start it, on a free port."""
    code = "from moto.server import ThreadedMotoServer as S; s = S(port=0, verbose=False); s.start(); "
    code += "print(s.get_host_and_port()[1], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def repeated(work: Callable[[], object]) -> float:
    """How long many calls take."""
    work()
    return seconds(lambda: [work() for _ in range(CALLS)])


if __name__ == "__main__":
    main(sys.argv[1:])
