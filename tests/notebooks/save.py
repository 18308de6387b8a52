"""Execute every lesson and every runbook's notebook in a fresh sandbox and save it with its outputs: `make notebooks`."""

import secrets
import sys
from collections.abc import Callable

from ragonotebooks.catalog import notebook, project, runbook
from ragonotebooks.cli.saving import save
from ragonotebooks.sandbox import client
from tests.runbooks.gcp_images import push
from tests.sandbox.conftest import Sandbox

COPIED = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "containerDefinitions",
)
"""What a revision is made of."""


def main() -> None:
    """Save the lessons in the order of the deployment, then what works upon it; what takes it down comes last."""
    name = f"save-{secrets.token_hex(3)}"
    books = map(runbook.load, ("deploy-aws", "deploy-gcp"))
    lessons = [lesson.path for book in books for lesson in book.notebooks]
    lessons += [path for path in notebook.lessons() if path not in lessons]  # those on several clouds
    try:
        for path in [*lessons, *sorted(notebook.procedures(), key=lambda path: path.stem == "teardown")]:
            BEFORE.get(notebook.key_of(path), lambda sandbox: None)(name)
            save(path, name)
            client.mark_passed(name, notebook.key_of(path), {})
            sys.stdout.write(f"{project.shown(path)}\n")
    finally:
        client.down(name)


def release_once_more(sandbox: str) -> None:
    """Give the API and the worker a revision more, so that there is a release to roll back."""
    state = client.find(sandbox)
    assert state
    ecs = Sandbox(state).client("ecs")
    for service in ecs.describe_services(cluster="ragonometrics", services=["api", "worker"])["services"]:
        there = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        copied = {field: there[field] for field in COPIED if field in there}
        made = ecs.register_task_definition(**copied)["taskDefinition"]["taskDefinitionArn"]
        ecs.update_service(cluster="ragonometrics", service=service["serviceName"], taskDefinition=made)
    ecs.get_waiter("services_stable").wait(cluster="ragonometrics", services=["api", "worker"])


def push_once_more(sandbox: str) -> None:
    """Push an image more, so that there is one to release, and then a release to roll back."""
    push(sandbox, {"notes.txt": "the same in every other way"})


BEFORE: dict[str, Callable[[str], None]] = {
    "runbooks/aws/roll-back": release_once_more,
    "runbooks/gcp/release": push_once_more,
}
"""What has to be done for a notebook to have something to do."""


if __name__ == "__main__":
    main()
