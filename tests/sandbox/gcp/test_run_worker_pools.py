"""Worker pools of Cloud Run by Google's client: as many instances as are asked for, always, and no requests."""

from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.images import LOCATION
from tests.sandbox.gcp.running import Running

WORKER = "import os, time; print(os.getpid(), os.environ['WORD'], flush=True); time.sleep(600)"


class Pools(Running):
    """Makes worker pools whose instances write their process id and a word."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.pools = run_v2.WorkerPoolsClient()

    def template(self, word: str, program: str = WORKER) -> dict[str, Any]:
        """What an instance is."""
        env = [{"name": "WORD", "value": word}]
        return {"containers": [self.container(program, env=env)], "service_account": self.account}

    def make(self, name: str, **fields: Any) -> run_v2.WorkerPool:
        """Make a worker pool."""
        made = {"template": self.template("first"), **fields}
        request = {"parent": LOCATION, "worker_pool_id": name, "worker_pool": made}
        return self.pools.create_worker_pool(request=request).result(timeout=60)

    def change(self, name: str, **fields: Any) -> run_v2.WorkerPool:
        """Change some fields of a worker pool."""
        changed = {"name": f"{LOCATION}/workerPools/{name}", **fields}
        request = {"worker_pool": changed, "update_mask": {"paths": list(fields)}}
        return self.pools.update_worker_pool(request=request).result(timeout=60)

    def living(self, name: str) -> list[str]:
        """The words of the instances that live."""
        lines = [entry.payload.split() for entry in self.log(f'resource.labels.worker_pool_name="{name}"')]
        return [word for pid, word in lines if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def run(gcp: Sandbox) -> Pools:
    return Pools(gcp)


def test_a_worker_pool_keeps_as_many_instances_as_it_is_told(run: Pools) -> None:
    made = run.make("counted", scaling={"manual_instance_count": 2})
    assert made.terminal_condition.state.name == "CONDITION_SUCCEEDED"
    eventually(lambda: run.living("counted") == ["first", "first"])
    run.change("counted", scaling={"manual_instance_count": 0})
    eventually(lambda: run.living("counted") == [])
    run.change("counted", scaling={"manual_instance_count": 1})
    eventually(lambda: run.living("counted") == ["first"])


def test_a_new_template_replaces_the_instances(run: Pools) -> None:
    run.make("renewed")
    eventually(lambda: run.living("renewed") == ["first"])
    changed = run.change("renewed", template=run.template("second"))
    eventually(lambda: run.living("renewed") == ["second"])
    assert changed.instance_split_statuses[0].revision == changed.latest_ready_revision.rpartition("/")[2]
    old = {"type_": "INSTANCE_SPLIT_ALLOCATION_TYPE_REVISION", "revision": "", "percent": 100}
    names = [one.name.rpartition("/")[2] for one in run_v2.RevisionsClient().list_revisions(parent=changed.name)]
    run.change("renewed", instance_splits=[{**old, "revision": names[0]}])
    eventually(lambda: run.living("renewed") == ["first"])


def test_an_instance_that_ends_is_replaced(run: Pools) -> None:
    program = "import os, time; print(os.getpid(), os.environ['WORD'], flush=True); time.sleep(0.2)"
    run.make("mortal", template=run.template("again", program))
    text = 'resource.labels.worker_pool_name="mortal"'
    eventually(lambda: len(run.log(text)) >= 3)
    run.change("mortal", scaling={"manual_instance_count": 0})


def test_a_deleted_worker_pool_is_gone_with_its_instances(run: Pools) -> None:
    made = run.make("deleted")
    eventually(lambda: run.living("deleted") == ["first"])
    run.pools.delete_worker_pool(name=made.name).result(timeout=60)
    assert run.living("deleted") == []
    with pytest.raises(exceptions.NotFound):
        run.pools.get_worker_pool(name=made.name)


def test_a_worker_pool_has_no_port(run: Pools) -> None:
    template = run.template("x")
    template["containers"][0]["ports"] = [{"container_port": 8080}]
    with pytest.raises(exceptions.InvalidArgument, match="gets no requests"):
        run.make("ported", template=template)
