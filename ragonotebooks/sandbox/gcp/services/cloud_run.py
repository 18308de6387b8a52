"""Cloud Run: the API of jobs, executions, services, revisions and worker pools. What runs behind it is in `gcp/run/`."""

from typing import Any, ClassVar, Final

from google.cloud.run_v2 import types

from ragonotebooks.sandbox.gcp.access import require_permission
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import changed_meanwhile, invalid, unmet
from ragonotebooks.sandbox.gcp.fields import copy_of
from ragonotebooks.sandbox.gcp.generic import Made
from ragonotebooks.sandbox.gcp.run import template as templates
from ragonotebooks.sandbox.gcp.run.deployments import Deployments
from ragonotebooks.sandbox.gcp.run.executions import Executions
from ragonotebooks.sandbox.gcp.run.failures import fill_condition
from ragonotebooks.sandbox.gcp.run.gate import Gate
from ragonotebooks.sandbox.gcp.run.instance import Host
from ragonotebooks.sandbox.gcp.run.revisions import Revisions
from ragonotebooks.sandbox.gcp.service import Call, Service, Work, created, creating, deleting, rpc, updated, updating

_TASKS: Final = 10_000  # of one execution; Cloud Run, "Quotas and limits", read 2026-11
_RETRIES, _TIMEOUT = 3, 600  # defaults; Cloud Run Admin API v2, TaskTemplate


class CloudRun(Service):
    """Jobs, services and worker pools, and what they make."""

    host = "run.googleapis.com"
    title = "Cloud Run Admin API"
    clients = (
        "google.cloud.run_v2:JobsClient",
        "google.cloud.run_v2:ExecutionsClient",
        "google.cloud.run_v2:TasksClient",
        "google.cloud.run_v2:ServicesClient",
        "google.cloud.run_v2:RevisionsClient",
        "google.cloud.run_v2:WorkerPoolsClient",
    )
    keeps = frozenset(("Job", "Execution", "Task", "Service", "Revision", "WorkerPool"))
    permissions: ClassVar = {
        "RunJob": "run.jobs.run",
        "CancelExecution": "run.executions.cancel",
        "ListWorkerPools": "run.workerpools.list",
        **{f"{verb}WorkerPool": f"run.workerpools.{verb.lower()}" for verb in ("Create", "Get", "Update", "Delete")},
    }

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.instances = Host(cloud)
        self._executions = Executions(self.instances)
        self._revisions = Revisions(self.instances)
        self._deployments = Deployments(self.instances, self._revisions)
        self.gate = Gate(self.instances, self._revisions)
        cloud.context.servers.append(self.gate.servers)
        self._digests: dict[str, str] = {}
        # of the image of what is being made or changed, until it is kept
        self._digest = ""

    @creating("Service")
    def _creating_service(self, call: Call, service: Any) -> None:
        templates.check_name(service.name)
        self._digest = self._deployments.complete_service(call, service, None)

    @updating("Service")
    def _updating_service(self, call: Call, before: Any, after: Any) -> None:
        self._digest = self._deployments.complete_service(call, after, before)

    @creating("WorkerPool")
    def _creating_pool(self, call: Call, pool: Any) -> None:
        templates.check_name(pool.name)
        self._digest = self._deployments.complete_worker_pool(call, pool, None)

    @updating("WorkerPool")
    def _updating_pool(self, call: Call, before: Any, after: Any) -> None:
        self._digest = self._deployments.complete_worker_pool(call, after, before)

    @created("Service")
    @created("WorkerPool")
    def _created(self, call: Call, owner: Any) -> Work:
        if owner.DESCRIPTOR.name == "Service":
            self.gate.link(owner)
        return self._deployments.revise(owner, None, self._digest)

    @updated("Service")
    @updated("WorkerPool")
    def _updated(self, call: Call, before: Any, after: Any) -> Work:
        return self._deployments.revise(after, before, self._digest)

    @deleting("Service")
    @deleting("WorkerPool")
    def _deleting(self, call: Call, owner: Any) -> Work:
        if owner.DESCRIPTOR.name == "Service":
            self.gate.unlink(owner)
        return self._deployments.remove(owner)

    @deleting("Revision")
    def _deleting_revision(self, call: Call, revision: Any) -> Work:
        if why := self._deployments.uses(revision):
            raise unmet(f"The revision {revision.name} cannot be deleted: {why}.")
        pools = self._revisions.forget([revision.name])
        return lambda: self._revisions.close(pools)

    @created("Job")
    def _created_job(self, call: Call, job: Any) -> Work | None:
        self._digests[job.name] = self._digest
        problem = job.terminal_condition.message

        def fail() -> None:
            raise unmet(problem)

        return fail if problem else None

    @updated("Job")
    def _updated_job(self, call: Call, before: Any, after: Any) -> Work | None:
        return self._created_job(call, after)

    @creating("Job")
    def _creating_job(self, call: Call, job: Any) -> None:
        templates.check_name(job.name)
        job.creator = call.email
        self._complete_job(call, job)

    @updating("Job")
    def _updating_job(self, call: Call, before: Any, after: Any) -> None:
        self._complete_job(call, after)

    @deleting("Job")
    def _deleting_job(self, call: Call, job: Any) -> Work:
        names = [entry.name for entry in call.cloud.store.children(self.host, f"{job.name}/executions")]
        for name in names:
            self._executions.cancel(name)
        self._digests.pop(job.name, None)

        def wait() -> None:
            for name in names:
                self._executions.wait_quietly(name)

        return wait

    @deleting("Execution")
    def _deleting_execution(self, call: Call, execution: Any) -> Work:
        self._executions.cancel(execution.name)
        return lambda: self._executions.wait_quietly(execution.name)

    @rpc("RunJob")
    def _run_job(self, call: Call) -> Made:
        job = call.cloud.store.get(self.host, call.path)
        if call.message.etag and call.message.etag != job.etag:
            raise changed_meanwhile(call.path)
        template = copy_of(job.template)
        if call.message.HasField("overrides"):
            require_permission(call, "run.jobs.runWithOverrides", call.path)
            _override(template, call.message.overrides)
        if call.message.validate_only:
            return types.Execution.pb(types.Execution()), None
        execution = self._executions.begin(job, template, self._digests[job.name])
        name = execution.name
        return copy_of(execution), lambda: self._executions.wait(name)

    @rpc("CancelExecution")
    def _cancel(self, call: Call) -> Made:
        execution = call.cloud.store.get(self.host, call.path)
        if call.message.etag and call.message.etag != execution.etag:
            raise changed_meanwhile(call.path)
        if not call.message.validate_only:
            self._executions.cancel(execution.name)
        return copy_of(execution), lambda: self._executions.wait_quietly(execution.name)

    def _complete_job(self, call: Call, job: Any) -> None:
        template, task = job.template, job.template.template
        templates.refuse(job, ("binary_authorization", "start_execution_token", "run_execution_token"))
        template.task_count = template.task_count or 1
        _check_count(template.task_count)
        if not task.HasField("max_retries"):
            task.max_retries = _RETRIES
        if not task.HasField("timeout"):
            task.timeout.seconds = _TIMEOUT
        task.execution_environment = task.execution_environment or types.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2
        self._digest = templates.complete(call, task)
        job.generation += 1
        job.observed_generation = job.generation
        job.last_modifier = call.email
        job.launch_stage = job.launch_stage or 4
        if problem := templates.secret_problem(call.cloud, task):
            fill_condition(job.terminal_condition, "Ready", "FAILED", problem, "SECRETS_ACCESS_CHECK_FAILED")
        else:
            fill_condition(job.terminal_condition, "Ready", "SUCCEEDED")


def _override(template: Any, overrides: Any) -> None:
    """Change an execution template for one execution."""
    if overrides.task_count:
        _check_count(overrides.task_count)
        template.task_count = overrides.task_count
    if overrides.HasField("timeout"):
        template.template.timeout.CopyFrom(overrides.timeout)
    containers = {one.name: one for one in template.template.containers}
    for override in overrides.container_overrides:
        container = containers.get(override.name) if override.name else template.template.containers[0]
        if container is None:
            raise invalid(
                f"The job has no container {override.name}.", {"overrides.container_overrides": override.name}
            )
        if override.args or override.clear_args:
            container.args[:] = override.args
        for variable in override.env:
            kept = [one for one in container.env if one.name != variable.name]
            del container.env[:]
            container.env.extend([*kept, variable])


def _check_count(count: int) -> None:
    if not 0 < count <= _TASKS:
        raise invalid(f"The task count is {count}; it may be from 1 to {_TASKS}.", {"task_count": "out of range"})
