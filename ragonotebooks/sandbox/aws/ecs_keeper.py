"""The service scheduler: one thread a service keeps it what it shall be. Tasks that end are replaced, deployments roll, and a
deployment whose tasks fail is given up.

Source: Amazon ECS developer guide, "Amazon ECS services", "How the deployment circuit breaker detects failures" and "Service
throttle logic", read 2026-11. The sandbox waits seconds where ECS waits minutes before it tries again what failed.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

from moto.core.exceptions import ServiceException

from ragonotebooks.sandbox.aws import ecs_targets
from ragonotebooks.sandbox.aws.ecs_events import announce_deployment, announce_service
from ragonotebooks.sandbox.aws.ecs_model import Task, now
from ragonotebooks.sandbox.aws.ecs_rollout import Limits, to_start, to_stop
from ragonotebooks.sandbox.aws.ecs_service_model import Deployment, Service
from ragonotebooks.sandbox.context import Context

_SETTLED: Final = 2.0  # seconds that a task without any health check has to run before it counts as one that runs
_LASTING: Final = 10.0  # seconds after which the end of a task says nothing about its start
_LOOK_AGAIN, _LOOK_AT_REST, _AFTER_TROUBLE = 0.2, 1.0, 5.0  # seconds
_PATIENT_FAILURES, _LONGEST_PAUSE = 3, 60.0
_STUCK: Final = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)
_FAILED: Final = ("TaskFailedToStart", "EssentialContainerExited")
_SCHEDULER: Final = "ServiceSchedulerInitiated"

Launch = Callable[[Service, Deployment], Task]
Stop = Callable[[Task, str, str], None]


class Keeper(threading.Thread):
    """Keeps one service until it is INACTIVE.

    Args:
        context: The daemon's shared parts.
        service: The service.
        launch: Starts one more task of a deployment.
        stop: Lets a task end, with a code and a reason.
    """

    def __init__(self, context: Context, service: Service, launch: Launch, stop: Stop) -> None:
        super().__init__(name=f"service {service.name}", daemon=True)
        self._context, self._service, self._launch, self._stop = context, service, launch, stop
        self._failures = 0  # in a row
        self._not_before = 0.0
        self._said: set[str] = set()
        self._healthy: set[str] = set()  # the primary deployment's tasks that did their work at the last look

    def run(self) -> None:
        """Look, act and wait until something changes."""
        with self._context.changed:
            while self._service.status != "INACTIVE":
                try:
                    pause = self._step()
                except Exception:
                    traceback.print_exc(file=sys.stderr)
                    self._service.say("is not looked after: the sandbox failed, see its log.")
                    pause = _AFTER_TROUBLE
                self._context.changed.wait(pause)

    def _step(self) -> float:
        service = self._service
        before = service.steady, service.status, len(service.deployments), service.primary.rollout_state
        for deployment in service.deployments:
            self._note_ends(deployment)
        for task in list(service.tasks):
            self._stop_unhealthy(task)
        self._judge()
        self._fill()
        self._retire()
        self._conclude()
        if before != (service.steady, service.status, len(service.deployments), service.primary.rollout_state):
            self._context.changed.notify_all()
        return _LOOK_AT_REST if service.steady else _LOOK_AGAIN

    def _note_ends(self, deployment: Deployment) -> None:
        """Take note of tasks that ended though nobody asked them to."""
        for task in [task for task in deployment.alive if task.desired_status == "STOPPED"]:
            deployment.alive.remove(task)
            deployment.leaving.append(task)
            if task.stop_code in _FAILED and (deployment.rollout_state == "IN_PROGRESS" or _age(task) < _LASTING):
                self._count_failure(deployment)
        deployment.leaving = [task for task in deployment.leaving if not task.has_stopped]

    def _count_failure(self, deployment: Deployment) -> None:
        self._failures += 1
        if deployment.rollout_state == "IN_PROGRESS":
            deployment.failed_tasks += 1
        if self._failures > _PATIENT_FAILURES:
            self._not_before = time.monotonic() + min(_LONGEST_PAUSE, 2.0 ** (self._failures - _PATIENT_FAILURES - 1))
            if self._say_once("is unable to consistently start tasks successfully."):
                announce_service(self._context, self._service, "WARN", "SERVICE_TASK_START_IMPAIRED")

    def _stop_unhealthy(self, task: Task) -> None:
        grace = self._service.health_check_grace_period_seconds or 0
        if task.started_at is None or _age(task) < grace:
            return
        if task.health_status == "UNHEALTHY":
            self._service.say(f"(task {task.id}) failed container health checks.")
            self._give_up(task, "Task failed container health checks")
            return
        for place in ecs_targets.places(task):
            if place.state == "unhealthy":
                where = f"(target-group {place.group})"
                why = f"(reason {place.description})"
                self._service.say(f"(task {task.id}) (port {place.port}) is unhealthy in {where} due to {why}.")
                self._give_up(task, f"Task failed ELB health checks in {where}")
                return

    def _give_up(self, task: Task, reason: str) -> None:
        deployment = next(one for one in self._service.deployments if task in one.alive)
        self._count_failure(deployment)
        self._end([task], reason)

    def _judge(self) -> None:
        """Let a deployment fail whose tasks fail; a task that becomes healthy speaks for it, one that is so already does not."""
        service, primary = self._service, self._service.primary
        before, self._healthy = self._healthy, {task.id for task in primary.alive if self._is_healthy(task)}
        if self._healthy - before:
            primary.failed_tasks = self._failures = 0
            self._said.clear()
        breaker = service.deployment_configuration.get("deploymentCircuitBreaker") or {}
        if not breaker.get("enable") or primary.rollout_state != "IN_PROGRESS":
            return
        if primary.failed_tasks >= service.failure_limit:
            self._fail(primary, "tasks failed to start.", rolls_back=breaker.get("rollback", False))

    def _fail(self, failed: Deployment, why: str, *, rolls_back: bool) -> None:
        service = self._service
        failed.rollout("FAILED", f"ECS deployment circuit breaker: {why}")
        service.say(f"(deployment {failed.id}) deployment failed: {why}")
        announce_deployment(self._context, service, failed)
        previous = service.last_good
        if not rolls_back:
            return
        if previous is None:
            failed.rollout_state_reason += " No rollback candidate was found to run the rollback."
            return
        service.say(f"rolling back to deployment {previous.id}.")
        reason = f"ECS deployment circuit breaker: rolling back to deploymentId {previous.id}."
        previous.rollout("IN_PROGRESS", reason)
        self.make_primary(previous)
        announce_deployment(self._context, service, previous)

    def make_primary(self, deployment: Deployment) -> None:
        """Let the service be what a deployment says from now on. The caller holds the lock."""
        service = self._service
        others = [one for one in service.deployments if one is not deployment]
        for one in others:
            one.status, one.desired_count = "ACTIVE", 0
        deployment.status, deployment.desired_count = "PRIMARY", service.desired_count
        service.deployments, service.revision, service.steady = [deployment, *others], deployment.revision, False
        self._failures, self._not_before = 0, 0.0
        self._said.clear()

    def _fill(self) -> None:
        """Start what is missing and stop what is too much."""
        service, primary = self._service, self._service.primary
        old = [task for deployment in reversed(service.deployments[1:]) for task in deployment.alive]
        given_up = primary.rollout_state == "FAILED" and service.desired_count > 0
        limits = Limits(service.desired_count, service.minimum, service.maximum)
        if given_up:
            return
        reason = f"Scaling activity initiated by (deployment {primary.id})"
        self._end(to_stop(limits, primary.alive, old, self._is_healthy), reason)
        if time.monotonic() < self._not_before:
            return
        left = sum(len(deployment.alive) for deployment in service.deployments[1:])
        count = to_start(limits, len(primary.alive), left)
        if not count and len(primary.alive) < limits.desired and all(map(self._is_healthy, service.tasks)):
            self._say_once(_STUCK)
        self._start(primary, count)

    def _start(self, deployment: Deployment, count: int) -> None:
        started = []
        for _ in range(count):
            try:
                started.append(self._launch(self._service, deployment))
                deployment.alive.append(started[-1])
            except ServiceException as problem:
                if self._say_once(f"was unable to place a task. Reason: {problem.message}"):
                    announce_service(self._context, self._service, "ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE")
                self._count_failure(deployment)
                break
        if started:
            names = " ".join(f"(task {task.id})" for task in started)
            self._service.say(f"has started {len(started)} tasks: {names}.")

    def _end(self, tasks: list[Task], reason: str) -> None:
        if not tasks:
            return
        for deployment in self._service.deployments:
            deployment.leaving += [task for task in deployment.alive if task in tasks]
            deployment.alive = [task for task in deployment.alive if task not in tasks]
        for task in tasks:
            self._stop(task, _SCHEDULER, reason)
        names = " ".join(f"(task {task.id})" for task in tasks)
        self._service.say(f"has stopped {len(tasks)} running tasks: {names}.")

    def _retire(self) -> None:
        """Forget earlier deployments of which nothing is left."""
        first, *others = self._service.deployments
        self._service.deployments = [first, *(one for one in others if one.alive or one.leaving)]

    def _conclude(self) -> None:
        """Say what the service has come to."""
        service, primary = self._service, self._service.primary
        at_rest = len(service.deployments) == 1 and not primary.leaving
        if service.status == "DRAINING" and at_rest and not primary.alive:
            service.status, service.deployments[0].status = "INACTIVE", "INACTIVE"
            return
        complete = at_rest and sum(map(self._is_healthy, primary.alive)) == len(primary.alive) == service.desired_count
        if complete and primary.rollout_state == "IN_PROGRESS":
            service.last_good = primary
            primary.rollout("COMPLETED", f"ECS deployment {primary.id} completed.")
            service.say(f"(deployment {primary.id}) deployment completed.")
            announce_deployment(self._context, service, primary)
        complete = complete and primary.rollout_state == "COMPLETED"
        if complete and not service.steady:
            service.say("has reached a steady state.")
            announce_service(self._context, service, "INFO", "SERVICE_STEADY_STATE")
        service.steady = complete

    def _is_healthy(self, task: Task) -> bool:
        """Whether a task does its work, as far as anybody asks."""
        if not task.is_ready:
            return False
        if task.load_balancers:
            return all(place.state == "healthy" for place in ecs_targets.places(task))
        return task.health_status == "HEALTHY" or _age(task) >= _SETTLED

    def _say_once(self, text: str) -> bool:
        """Add a line to the service's history unless it is there since the last time that a task was healthy."""
        if text in self._said:
            return False
        self._said.add(text)
        self._service.say(text)
        return True


def _age(task: Task) -> float:
    """Return for how many seconds a task has been running, or had been when it ended; 0 when it never ran."""
    return ((task.stopping_at or now()) - task.started_at).total_seconds() if task.started_at else 0.0
