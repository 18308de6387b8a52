"""Requests that Cloud Monitoring itself sends: it is in no network, and in the sandbox it reaches what the sandbox plays."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ragonotebooks.sandbox.context import Context
from ragonotebooks.sandbox.gcp.cloud import Cloud

_LARGEST: Final = 1024**2


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: The HTTP status; 0 when nothing did.
        body: The first of it.
        milliseconds: How long it took.
    """

    status: int
    body: bytes
    milliseconds: float


def agent(cloud: Cloud) -> str:
    """Who asks and publishes: the project's service agent of Monitoring, which may do what policies let it do."""
    return f"service-{cloud.project.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"


def send(
    context: Context,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    seconds: float,
    *,
    verify: bool = True,
) -> Answer:
    """Send a request through the sandbox's gateway; no lock may be held."""
    gateway = f"http://127.0.0.1:{context.state.port}"
    trust = ssl.create_default_context(cafile=str(context.authority.bundle))
    if not verify:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": gateway, "https": gateway}), urllib.request.HTTPSHandler(context=trust)
    )
    request = urllib.request.Request(url, body, dict(headers), method=method)
    started, status, said = time.perf_counter(), 0, b""
    try:
        with opener.open(request, timeout=seconds) as answer:
            status, said = answer.status, answer.read(_LARGEST)
    except urllib.error.HTTPError as error:
        status, said = error.code, error.read(_LARGEST)
    except OSError:
        pass  # nobody answered
    return Answer(status, said, (time.perf_counter() - started) * 1000)
