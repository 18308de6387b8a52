"""Executions of jobs: tasks side by side, attempts one after the other, and what has become of them."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, field
from typing import Any, Final

from google.cloud.run_v2 import types

from ragonotebooks.sandbox.gcp.errors import ApiError
from ragonotebooks.sandbox.gcp.fields import copy_of
from ragonotebooks.sandbox.gcp.run import HOST
from ragonotebooks.sandbox.gcp.run.failures import StartFailure, set_condition
from ragonotebooks.sandbox.gcp.run.instance import Host, Instance, Plan

_LETTERS: Final = string.ascii_lowercase + string.digits
_FAILED: Final = "The container exited with an error."
_Status: Final[Any] = types.ExecutionReference.CompletionStatus


@dataclass
class _Running:
    """An execution that has not ended."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    instances: list[Instance] = field(default_factory=list)


class Executions:
    """The controller of executions.

    Args:
        host: What all instances share.
    """

    def __init__(self, host: Host) -> None:
        self._host, self._cloud = host, host.cloud
        self._running: dict[str, _Running] = {}

    def begin(self, job: Any, template: Any, digest: str) -> Any:
        """Make an execution of a job and let it begin; the caller holds the lock.

        Args:
            job: The job as it is kept.
            template: Its execution template with what this execution overrides.
            digest: Of the image.
        """
        execution = _execution(job, template, self._new_name(job.name))
        self._cloud.store.put(HOST, execution.name, execution)
        for index in range(template.task_count):
            task = _task(execution, index)
            self._cloud.store.put(HOST, task.name, task)
        job.execution_count += 1
        self._refer(job.name, execution)
        self._running[execution.name] = _Running()
        name = f"execution {execution.name.rpartition('/')[2]}"
        threading.Thread(target=self._run, args=(execution, digest), name=name, daemon=True).start()
        return execution

    def wait_quietly(self, name: str) -> None:
        """Wait for the end of an execution, whatever comes of it."""
        with self._cloud.context.changed:
            self._cloud.context.changed.wait_for(lambda: name not in self._running)

    def wait(self, name: str) -> None:
        """Wait for the end of an execution.

        Raises:
            ApiError: A task has failed. What was cancelled has not.
        """
        self.wait_quietly(name)
        with self._cloud.context.lock:
            execution = self._cloud.store.find(HOST, name)
            if execution is not None and execution.failed_count:
                raise ApiError("UNKNOWN", _completed(execution).message)

    def cancel(self, name: str) -> None:
        """Let an execution end. The caller holds the lock."""
        if running := self._running.get(name):
            running.cancelled.set()
            for instance in running.instances:
                self._host.threads.submit(instance.stop)

    def is_running(self, name: str) -> bool:
        """Whether an execution has not ended."""
        return name in self._running

    def _new_name(self, job: str) -> str:
        suffix = "".join(secrets.choice(_LETTERS) for _ in range(5))
        return f"{job}/executions/{job.rpartition('/')[2]}-{suffix}"

    def _run(self, execution: Any, digest: str) -> None:
        turns = threading.Semaphore(execution.parallelism or execution.task_count)
        names = [f"{execution.name}/tasks/{_task_name(execution, index)}" for index in range(execution.task_count)]
        self._show(execution)
        threads = [
            threading.Thread(target=self._run_task, args=(execution, name, digest, turns), daemon=True)
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._end(execution)

    def _run_task(self, execution: Any, name: str, digest: str, turns: threading.Semaphore) -> None:
        with turns:
            running, task = self._running[execution.name], self._cloud.store.get(HOST, name)
            with self._cloud.context.changed:
                task.start_time.GetCurrentTime()
                set_condition(task, "Started", "SUCCEEDED")
                execution.running_count += 1
                self._show(execution)
            for attempt in range(task.max_retries + 1):
                if running.cancelled.is_set() or self._attempt(execution, task, digest, attempt, running):
                    break
            self._end_task(execution, task, running.cancelled.is_set())

    def _attempt(self, execution: Any, task: Any, digest: str, attempt: int, running: _Running) -> bool:
        """Try a task once; return whether that was its last attempt."""
        instance = Instance(self._host, _plan(execution, task, digest, attempt))
        with self._cloud.context.lock:
            running.instances.append(instance)
            if attempt:
                task.retried, execution.retried_count = attempt, execution.retried_count + 1
        try:
            instance.start()
        except StartFailure as failure:
            self._result(task, str(failure), None)
            return True
        limit = task.timeout.ToTimedelta().total_seconds()
        if running.cancelled.is_set() or not instance.ended.wait(limit):
            instance.stop()
            if not running.cancelled.is_set():
                text = "Terminating task because it has reached the maximum timeout of"
                self._result(task, f"{text} {limit:g} seconds.", instance.code)
                return False
        self._result(task, "" if instance.code == 0 else _FAILED, instance.code)
        return instance.code == 0

    def _result(self, task: Any, problem: str, code: int | None) -> None:
        with self._cloud.context.lock:
            task.last_attempt_result.status.code = 2 if problem else 0
            task.last_attempt_result.status.message = problem
            task.last_attempt_result.exit_code = code or 0

    def _end_task(self, execution: Any, task: Any, cancelled: bool) -> None:
        with self._cloud.context.changed:
            task.completion_time.GetCurrentTime()
            task.reconciling = False
            execution.running_count -= 1
            problem = task.last_attempt_result.status.message
            if cancelled:
                execution.cancelled_count += 1
                set_condition(task, "Completed", "FAILED", "The task has been cancelled.", "CANCELLED")
            elif problem:
                execution.failed_count += 1
                set_condition(task, "Completed", "FAILED", problem, "NON_ZERO_EXIT_CODE")
            else:
                execution.succeeded_count += 1
                set_condition(task, "Completed", "SUCCEEDED")
            self._show(execution)

    def _end(self, execution: Any) -> None:
        with self._cloud.context.changed:
            execution.completion_time.GetCurrentTime()
            execution.reconciling = False
            if execution.cancelled_count:
                set_condition(execution, "Completed", "FAILED", "Execution has been cancelled.", "CANCELLED")
            elif execution.failed_count:
                set_condition(execution, "Completed", "FAILED", self._problem(execution), "NON_ZERO_EXIT_CODE")
            else:
                set_condition(execution, "Completed", "SUCCEEDED", "Execution completed successfully.")
            del self._running[execution.name]
            self._show(execution)

    def _problem(self, execution: Any) -> str:
        for index in range(execution.task_count):
            short = _task_name(execution, index)
            task = self._cloud.store.get(HOST, f"{execution.name}/tasks/{short}")
            if problem := task.last_attempt_result.status.message:
                return f"Task {short} failed with message: {problem}"
        return _FAILED

    def _show(self, execution: Any) -> None:
        """Let those know who look at the execution; it may have been deleted meanwhile."""
        with self._cloud.context.changed:
            execution.update_time.GetCurrentTime()
            self._refer(execution.name.partition("/executions/")[0], execution)
            self._cloud.context.changed.notify_all()

    def _refer(self, job_name: str, execution: Any) -> None:
        """Let the job show its latest execution."""
        job = self._cloud.store.find(HOST, job_name)
        if job is None:
            return
        latest, short = job.latest_created_execution, execution.name.rpartition("/")[2]
        if (
            latest.name
            and latest.name != short
            and latest.create_time.ToNanoseconds() > execution.create_time.ToNanoseconds()
        ):
            return
        latest.name = short
        latest.create_time.CopyFrom(execution.create_time)
        if execution.HasField("completion_time"):
            latest.completion_time.CopyFrom(execution.completion_time)
        else:
            latest.ClearField("completion_time")
        latest.completion_status = _completion(execution)


def _execution(job: Any, template: Any, name: str) -> Any:
    execution = types.Execution.pb(
        types.Execution(
            name=name,
            job=job.name.rpartition("/")[2],
            generation=1,
            observed_generation=1,
            launch_stage=job.launch_stage,
            creator=job.creator,
            parallelism=template.parallelism,
            task_count=template.task_count,
            reconciling=True,
        )
    )
    execution.uid = secrets.token_hex(16)
    execution.labels.update({**job.labels, **template.labels})
    execution.annotations.update(template.annotations)
    execution.template.CopyFrom(template.template)
    for moment in (execution.create_time, execution.start_time, execution.update_time):
        moment.GetCurrentTime()
    set_condition(execution, "Completed", "RECONCILING", "Waiting for execution to complete.")
    set_condition(execution, "ResourcesAvailable", "SUCCEEDED", "Provisioned imported containers.")
    set_condition(execution, "Started", "SUCCEEDED", "Started deployed execution.")
    return execution


def _task(execution: Any, index: int) -> Any:
    template = execution.template
    task = types.Task.pb(
        types.Task(
            name=f"{execution.name}/tasks/{_task_name(execution, index)}",
            job=execution.job,
            execution=execution.name.rpartition("/")[2],
            generation=1,
            observed_generation=1,
            index=index,
            max_retries=template.max_retries,
            service_account=template.service_account,
            execution_environment=template.execution_environment,
            reconciling=True,
        )
    )
    task.uid = secrets.token_hex(16)
    task.labels.update(execution.labels)
    for name in ("containers", "volumes"):
        getattr(task, name).extend(getattr(template, name))
    task.timeout.CopyFrom(template.timeout)
    if template.HasField("vpc_access"):
        task.vpc_access.CopyFrom(template.vpc_access)
    for moment in (task.create_time, task.scheduled_time, task.update_time):
        moment.GetCurrentTime()
    return task


def _task_name(execution: Any, index: int) -> str:
    return f"{execution.name.rpartition('/')[2]}-task{index}"


def _plan(execution: Any, task: Any, digest: str, attempt: int) -> Plan:
    short = execution.name.rpartition("/")[2]
    variables = {
        "CLOUD_RUN_JOB": execution.job,
        "CLOUD_RUN_EXECUTION": short,
        "CLOUD_RUN_TASK_INDEX": str(task.index),
        "CLOUD_RUN_TASK_ATTEMPT": str(attempt),
        "CLOUD_RUN_TASK_COUNT": str(execution.task_count),
    }
    labels = {
        "run.googleapis.com/execution_name": short,
        "run.googleapis.com/task_index": str(task.index),
        "run.googleapis.com/task_attempt": str(attempt),
    }
    resource = ("cloud_run_job", {"job_name": execution.job, "location": execution.name.split("/")[3]})
    return Plan(task.name, copy_of(execution.template), digest, variables, resource, labels)


def _completed(execution: Any) -> Any:
    return next(one for one in execution.conditions if one.type_ == "Completed")


def _completion(execution: Any) -> int:
    if not execution.HasField("completion_time"):
        return int(_Status.EXECUTION_RUNNING)
    if execution.cancelled_count:
        return int(_Status.EXECUTION_CANCELLED)
    return int(_Status.EXECUTION_FAILED if execution.failed_count else _Status.EXECUTION_SUCCEEDED)
