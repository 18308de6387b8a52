"""The operator's client of Google's APIs, over REST and without the environment: a process speaks gRPC with one sandbox only."""

from typing import Final

import google.auth.transport.requests
import requests
from google.oauth2.credentials import Credentials

from ragonotebooks.cleanup.gcp.rest import Api
from ragonotebooks.sandbox import client
from ragonotebooks.sandbox.gcp.identity import ADC_FILE
from tests.sandbox.conftest import Sandbox

PROJECT: Final = "ragonometrics-sandbox"
REGION: Final = "us-central1"
HERE: Final = f"{{project}}/locations/{REGION}"
"""Where most of a deployment is, as `Api` takes it."""


def api(sandbox: str, service: str) -> Api:
    """The client of `https://SERVICE.googleapis.com` on a sandbox that runs."""
    state = client.find(sandbox)
    assert state
    session = through(Sandbox(state))
    credentials = Credentials.from_authorized_user_file(str(Sandbox(state).folder / ADC_FILE))
    asking = google.auth.transport.requests.Request(session)
    credentials.refresh(asking)
    session.headers["Authorization"] = f"Bearer {credentials.token}"
    return Api(session, service, PROJECT, REGION)


def through(sandbox: Sandbox) -> requests.Session:
    """A session whose requests go through a sandbox's gateway."""
    session = requests.Session()
    session.trust_env = False
    session.proxies, session.verify = {"https": sandbox.proxy}, sandbox.bundle
    return session
