"""Google Cloud in the sandbox: a call over gRPC, uploads, and the memory of both clouds at once."""

import json
import secrets
import statistics
from typing import Any

from google.cloud import secretmanager, storage

from ragonotebooks.cleanup.gcp import account
from tests.bench.common import COMMAND, RUNS, aws, enter, report, run, sandbox, seconds
from tests.cleanup.gcp_deployment import PROJECT, REGION, Deployment, enable

CALLS = 200
LABELS = {"managed-by": "bench"}


def google_calls() -> None:
    """A unary call over gRPC, and uploads. gRPC reads the trusted certificates once, so all of it is in one sandbox."""
    with sandbox() as name:
        enter(name)
        enable(account(PROJECT, REGION))
        vault, parent = secretmanager.SecretManagerServiceClient(), f"projects/{PROJECT}"
        made = vault.create_secret(parent=parent, secret_id="bench", secret={"replication": {"automatic": {}}})
        report("a unary gRPC call, GetSecret", each(lambda: vault.get_secret(name=made.name)), "ms", 3)
        bucket = storage.Client().create_bucket(f"bench-{secrets.token_hex(3)}")
        report("Cloud Storage upload of 1 kB", each(lambda: put(bucket, b"x" * 1024)), "ms", 6)
        large = secrets.token_bytes(50_000_000)
        taken = [seconds(put, bucket, large) for _ in range(RUNS)]
        report("Cloud Storage upload of 50 MB", statistics.median(taken), "s", 1.5)


def both_clouds() -> None:
    """The memory of a sandbox in which each cloud has a database."""
    with sandbox() as name:
        aws("rds", name).create_db_instance(
            DBInstanceIdentifier="bench",
            Engine="postgres",
            DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20,
            MasterUsername="bench",
            MasterUserPassword="correct-horse",
        )
        aws("rds", name).get_waiter("db_instance_available").wait(DBInstanceIdentifier="bench")
        where = account(PROJECT, REGION)
        enable(where)
        deployment = Deployment(where, "bench", LABELS)
        for make in (deployment.network, deployment.private_services, deployment.database):
            make()
        status = json.loads(run(*COMMAND, "sandbox", "status", "--name", name, "--json"))
        assert {one["service"] for one in status["servers"] if one["pid"]} == {"rds", "cloudsql"}
        report("resident memory of both clouds, a database each", status["memory_mb"], "MB", 500)


def each(call: Any) -> float:
    """Milliseconds of one call of many, the median of several times as many."""
    call()
    runs = [seconds(lambda: [call() for _ in range(CALLS)]) for _ in range(RUNS)]
    return statistics.median(runs) / CALLS * 1000


def put(bucket: Any, content: bytes) -> None:
    bucket.blob("object").upload_from_string(content)
