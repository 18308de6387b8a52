"""moto as one WSGI application: called by one thread at a time, its answers complete before the lock is let go, each call written
down in the ledger.
"""

import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from itertools import chain
from typing import Any, Final

from ragonotebooks.sandbox import status
from ragonotebooks.sandbox.aws import (
    attached_policies,
    ec2,
    ecr,
    ecr_registry,
    ecs,
    guard,
    iam,
    identity,
    patterns,
    rds,
    s3,
    servers,
)
from ragonotebooks.sandbox.aws.identity import Operator
from ragonotebooks.sandbox.aws.incoming import Incoming
from ragonotebooks.sandbox.aws.policy import decide
from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.front import Front, WSGIApp
from ragonotebooks.sandbox.gateway import SCHEME_HEADER
from ragonotebooks.sandbox.ledger import Call, current_call
from ragonotebooks.sandbox.local import Local
from ragonotebooks.sandbox.parts.public_registry import PublicRegistry, Source

#: ECR's public gallery, whose copies of Docker's official images are in every region.
PUBLIC: Final = Source("public.ecr.aws", "docker/library/python", "/token/", "aws")
_SCHEME = f"HTTP_{SCHEME_HEADER.upper().replace('-', '_')}"
_HOSTS = r"(.+\.)?amazonaws\.com|.+\.api\.aws"


def play(context: Context, front: Front, local: Local) -> None:
    """Make `front` answer for AWS."""
    context.servers.append(partial(servers.servers, rds.install(context)))
    status.serve(context, local, lambda: chain.from_iterable(servers() for servers in context.servers))
    ec2.install()
    context.servers.append(ecs.install(context, local, front.play_whole).servers)
    s3.install()
    iam.install()
    operator = Operator(context.state.account, context.state.access_key, context.state.secret_key)
    registry = ecr.install(context.folder / "ecr", context.lock, partial(_may, context, operator))
    front.play(ecr_registry.HOST.pattern, recorded(context, registry))
    front.play(re.escape(PUBLIC.host), PublicRegistry(context.folder / "ecr-public", PUBLIC))
    front.play(rds.TRUST_STORE, rds.trust_store(context))
    guarded = guard.guarded(operator, _when(context, front, local), _own(context), context.faults)
    front.play(_HOSTS, recorded(context, serialised(context, guarded)))


def _when(context: Context, front: Front, local: Local) -> dict[str, Callable[[], None]]:
    """Controllers that take time to load, by the prefix of the service that needs them; imported when it is first called."""

    def codebuild() -> None:
        from ragonotebooks.sandbox.aws import codebuild

        codebuild.install(context, local)

    def elasticache() -> None:
        from ragonotebooks.sandbox.aws import elasticache

        context.servers.append(elasticache.install(context).servers)

    def elasticloadbalancing() -> None:
        from ragonotebooks.sandbox.aws import elbv2

        context.servers.append(elbv2.install(context, front).servers)

    def events() -> None:
        from ragonotebooks.sandbox.aws import s3_events

        _load(context, "events")
        s3_events.install()

    def logs() -> None:
        from ragonotebooks.sandbox.aws import log_events, logs_search

        logs_search.install()
        log_events.install(context)

    def secretsmanager() -> None:
        from ragonotebooks.sandbox.aws import secret_versions

        attached_policies.check_secrets()
        secret_versions.install()

    return {
        "application-autoscaling": partial(_load, context, "autoscaling"),
        "cloudtrail": partial(_load, context, "cloudtrail"),
        "cloudwatch": partial(_load, context, "cloudwatch"),
        "codebuild": codebuild,
        "ec2": partial(ec2.deliver_flow_logs, context),
        "elasticache": elasticache,
        "elasticloadbalancing": elasticloadbalancing,
        "events": events,
        "kms": attached_policies.check_keys,
        "logs": logs,
        "secretsmanager": secretsmanager,
        "sns": partial(_load, context, "sns"),
        "sqs": partial(_load, context, "queues"),
    }


def _own(context: Context) -> guard.Own:
    """Services that moto lacks."""

    def access_analyzer(incoming: Incoming) -> dict[str, Any]:
        from ragonotebooks.sandbox.aws import access_analyzer

        return access_analyzer.of(context).answer(incoming)

    return {"access-analyzer": access_analyzer}


def _load(context: Context, controller: str) -> None:
    import_module(f"ragonotebooks.sandbox.aws.{controller}").of(context)


def _may(context: Context, operator: Operator, login: ecr_registry.Login, action: str, resource: str) -> bool:
    """Whether the policies of whoever got a registry's token let it do what is done with the token."""
    with context.lock:
        caller = identity.find_caller(login.access_key, operator)
        if caller is None:
            return False
        return decide(
            caller.policies([]), action, resource, patterns.Context(caller.context()), caller.principals
        ).allowed


def serialised(context: Context, app: WSGIApp) -> WSGIApp:
    """Call `app` under the context's lock. moto's backends are plain dictionaries: two threads at once lose writes."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.url_scheme"] = environ.get(_SCHEME, "https")
        with context.lock:
            return [b"".join(app(environ, start_response))]

    return answer


def recorded(context: Context, app: WSGIApp) -> WSGIApp:
    """Write each call of `app` down in the ledger."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = time.perf_counter()
        call = Call()

        def note(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            call.status = int(status.split()[0])
            return start_response(status, headers, *rest)

        token = current_call.set(call)
        try:
            return app(environ, note)
        finally:
            current_call.reset(token)
            call.mutating = call.mutating and call.status < 400
            context.ledger.write(call, started)

    return answer
