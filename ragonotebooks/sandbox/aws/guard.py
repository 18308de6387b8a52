"""The door of the AWS control plane: reads each request, asks who calls and whether they may, and answers what fails.

A WSGI application around moto's. Nothing reaches moto that is not authenticated and allowed, and whatever goes wrong
leaves in the service's own error format, with a status below 500: clients repeat a call that fails with a 5xx, and with
it what the call did before it failed.
"""

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.session import Session
from moto.backend_index import backend_url_patterns
from moto.backends import list_of_moto_modules
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from ragonotebooks.sandbox.aws import access, identity, resources
from ragonotebooks.sandbox.aws.actions import mutating
from ragonotebooks.sandbox.aws.errors import ApiError, body_of, injected, unauthenticated, unsupported
from ragonotebooks.sandbox.aws.failures import FAULT, explain
from ragonotebooks.sandbox.aws.incoming import Environ, Incoming
from ragonotebooks.sandbox.aws.refused import refuses
from ragonotebooks.sandbox.aws.signature import has_expired, is_signed_with
from ragonotebooks.sandbox.faults import Faults
from ragonotebooks.sandbox.ledger import Call, current_call

StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Answer = tuple[str, list[tuple[str, str]], bytes]
#: Answers the calls to services that moto lacks, by the service's prefix in IAM actions, with what the API's JSON holds.
Own = Mapping[str, Callable[[Incoming], dict[str, Any]]]

# the token that comes with it is the proof; endpoints visit the URL in the message that asks them
_UNSIGNED = {("sns", "ConfirmSubscription")}
_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"__type\"\s*:\s*\"(?:[^\"]*#)?([^\"]+)\"")


def guarded(
    operator: identity.Operator,
    when: dict[str, Callable[[], None]] | None = None,
    own: Own | None = None,
    faults: Faults | None = None,
) -> WSGIApp:
    """Return moto with a guard in front. The caller sees to it that one thread at a time calls it.

    `when`: what is done once, before the first call to a service, by the service's prefix in IAM actions.
    `own`: who answers for services that moto lacks.
    `faults`: the calls that a test wants refused.
    """
    app = _Moto()
    awaited, ours, wanted = dict(when or {}), own or {}, faults or Faults()

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        call = current_call.get() or Call()
        status, headers, body = _answer(app, environ, operator, call, awaited, ours, wanted)
        start_response(status, headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return answer


class _Moto(DomainDispatcherApplication):
    def __init__(self) -> None:
        super().__init__(create_backend_app)
        # moto looks through its own folder at every call, which takes longer than most calls
        self.get_backend_for_host = cache(self.get_backend_for_host)


def _answer(
    app: WSGIApp,
    environ: Environ,
    operator: identity.Operator,
    call: Call,
    awaited: dict[str, Callable[[], None]],
    own: Own,
    faults: Faults,
) -> Answer:
    incoming: Incoming | None = None
    try:
        if environ["REQUEST_METHOD"] == "OPTIONS":  # a browser's question about cross-origin calls, never signed
            return _collect(app, environ)
        incoming = Incoming.read(environ)
        _describe(incoming, call, own)
        if prepare := awaited.pop(incoming.prefix, None):
            prepare()
        _admit(incoming, operator, call)
        if code := faults.met_by(call):
            raise injected(code)
        if incoming.prefix in own:
            return _told(own[incoming.prefix](incoming))
        answer = _checked(incoming, call, *_collect(app, environ))
        call.resource = resources.made_by(call, answer[2], operator.account) or call.resource
        return answer
    except ApiError as refusal:
        return _refuse(incoming, refusal, call)
    except NotImplementedError:
        return _refuse(incoming, unsupported(call.service, call.action), call)
    except Exception as error:
        problem = explain(incoming, call, error)
        if problem.code == FAULT:
            print(traceback.format_exc(), file=sys.stderr)  # noqa: T201  # the daemon's log
        return _refuse(incoming, problem, call)


def _describe(incoming: Incoming, call: Call, own: Own) -> None:
    """Tell the ledger what is asked. Raises an ApiError for what the sandbox does not know at all."""
    call.service, call.region, call.action = incoming.prefix, incoming.region, incoming.signed_for
    if not re.fullmatch(r"aws-global|[a-z]{2}(-[a-z]+)+-\d", incoming.region) or incoming.region not in _regions():
        raise ApiError("UnknownRegion", f"the region {incoming.region} does not exist; take one like us-east-1")
    try:
        call.action = incoming.named
    except UnknownServiceError:
        raise ApiError("UnknownService", f"{incoming.signed_for} is no AWS service that the sandbox knows") from None
    if incoming.prefix not in own and not _is_played(incoming.signed_for):
        raise unsupported(call.service, call.action)
    call.mutating = mutating(call.service, call.action)
    if not incoming.operation or refuses(call.service, call.action):
        raise unsupported(call.service, call.action)


@cache
def _is_played(signed_for: str) -> bool:
    """Whether moto has a backend for a service; it has no answer of its own for one without."""
    names = [f"{part}{signed_for}" for part in ("", "api.", "data.", "ingest.", "runtime.")]
    urls = [f"http://{name}{rest}" for name in names for rest in (".us-east-1.amazonaws.com", ".us-east-1.api.aws")]
    modules = {module.replace("-", "").replace("_", "") for module in list_of_moto_modules()}
    known = any(pattern.match(url) for _, pattern in backend_url_patterns for url in urls)
    return known or signed_for.replace("-", "") in modules


@cache
def _regions() -> frozenset[str]:
    return frozenset(Session().get_available_regions("ec2"))


def _admit(incoming: Incoming, operator: identity.Operator, call: Call) -> None:
    """Let an authenticated caller who may do this through, or raise an ApiError."""
    caller = _authenticate(incoming, operator)
    call.caller = caller.arn if caller else "anonymous"
    found = access.resources(incoming, operator.account)
    call.resource = found[0]
    if caller or incoming.service == "s3":
        call.needs = access.authorize(incoming, found, caller, operator.account)
    environ = incoming.environ
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = operator.account
    key = incoming.credential
    if (key and key.presigned) or (key is None and incoming.service != "s3"):
        # moto looks for the service, the region and the key in this header alone
        name, day = (key.access_key, key.date) if key else ("unsigned", "")
        scope = f"{name}/{day or '20000101'}/{incoming.region}/{incoming.signed_for}/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=checked"


def _authenticate(incoming: Incoming, operator: identity.Operator) -> identity.Caller | None:
    """Return who calls, None for an unsigned request that may be one. Raises an ApiError for a signature that is wrong."""

    def refuse(problem: str, message: str = "") -> ApiError:
        return unauthenticated(problem, incoming.service, incoming.protocol, message)

    credential = incoming.credential
    if credential is None and (incoming.service == "s3" or (incoming.service, incoming.operation) in _UNSIGNED):
        return None
    if credential is None:
        raise refuse("unsigned")
    caller = identity.find_caller(credential.access_key, operator)
    if caller is None:
        raise refuse("unknown key")
    if credential.token != caller.token:
        raise refuse("wrong token")
    if identity.has_ended(caller):
        raise refuse("expired")
    if not is_signed_with(incoming, credential, caller.secret):
        raise refuse("wrong signature")
    if has_expired(incoming):
        raise refuse("denied", "Request has expired")
    return caller


def _collect(app: WSGIApp, environ: Environ) -> Answer:
    """Call moto and wait for the whole answer."""
    started: list[Any] = []

    def note(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
        started[:] = [status, headers]
        return lambda data: None

    body = b"".join(app(environ, note))
    return started[0], started[1], body


def _told(answer: dict[str, Any]) -> Answer:
    body = json.dumps(answer).encode()
    return "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body


def _checked(incoming: Incoming, call: Call, status: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
    """Pass an answer of moto on, unless it is not one of the service's."""
    number = int(status.partition(" ")[0])
    if number < 400:
        return status, headers, body
    page = body.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if page or number == 501 or (number == 404 and not body and incoming.prefix != "s3"):
        raise unsupported(call.service, call.action)
    if number >= 500:
        text = body.decode(errors="replace")[:200]
        raise ApiError(FAULT, f"{call.service}:{call.action} failed inside of the sandbox: {text}")
    found = _CODE.search(body)
    call.error = (found[1] or found[2]).decode() if found else str(number)
    return status, headers, body


def _refuse(incoming: Incoming | None, refusal: ApiError, call: Call) -> Answer:
    call.error = refusal.code
    service, protocol = "", "query"
    if incoming is not None:
        try:
            service, protocol = incoming.service, incoming.protocol
        except (UnknownServiceError, NotImplementedError):
            protocol = "json" if "HTTP_X_AMZ_TARGET" in incoming.environ else "query"
    headers, body = body_of(refusal, service, protocol)
    length = ("Content-Length", str(len(body)))
    return f"{refusal.status} {refusal.code}", [*headers.items(), length], body
