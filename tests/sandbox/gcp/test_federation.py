"""Workload identity federation: who holds a token of another issuer gets in as far as pool, provider and policies say."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import google.api_core.exceptions
import google.auth
import pytest
from google.auth import identity_pool
from google.auth.exceptions import OAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud import storage

from ragonotebooks.sandbox.gcp.keys import Key
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT, enable

ISSUER = "https://token.actions.githubusercontent.com"
MAIN = {"sub": "repo:a/papers:ref:refs/heads/main", "repository": "a/papers", "ref": "refs/heads/main"}
KEY = Key("")
POOL = "v1/projects/ragonometrics-sandbox/locations/global/workloadIdentityPools"
Ask = Callable[..., Any]


class Signed:
    """Gives a client the token that a workload was given."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_subject_token(self, context: Any, request: Any) -> str:
        return self._token


def provider(**more: Any) -> dict[str, Any]:
    mapping = {"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"}
    oidc = {"issuerUri": ISSUER, "jwksJson": json.dumps({"keys": [KEY.jwk()]})}
    condition = "assertion.repository == 'a/papers' && assertion.ref == 'refs/heads/main'"
    return {"attributeMapping": mapping, "attributeCondition": condition, "oidc": oidc, **more}


@pytest.fixture
def ask(gcp: Sandbox) -> Ask:
    """Sends a request of the operator's to IAM; returns status and answer."""
    enable("iam", "sts")
    session = AuthorizedSession(google.auth.default()[0])

    def send(verb: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        answer = session.request(verb, f"https://iam.googleapis.com/{path}", json=body, params=query, timeout=30)
        return answer.status_code, answer.json()

    return send


@pytest.fixture(scope="module")
def _pool() -> list[str]:
    return []


@pytest.fixture
def github(ask: Ask, _pool: list[str]) -> str:
    """A pool with a provider for one branch of one repository; the provider's name."""
    if not _pool:
        status, operation = ask("POST", POOL, {"displayName": "GitHub"}, workloadIdentityPoolId="github")
        assert (status, operation["done"]) == (200, True), operation
        made = ask("POST", f"{POOL}/github/providers", provider(), workloadIdentityPoolProviderId="papers")[1]
        _pool.append(made["response"]["name"])
    return _pool[0]


def token(provider: str, key: Key = KEY, **other: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": f"https://iam.googleapis.com/{provider}", "iat": now, "exp": now + 300}
    return key.jwt({**claims, **MAIN, **other})


def bearer(provider: str, key: Key = KEY, **claims: Any) -> identity_pool.Credentials:
    """The credentials of whoever holds a token with these claims."""
    return identity_pool.Credentials(
        audience=f"//iam.googleapis.com/{provider}",
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        subject_token_supplier=Signed(token(provider, key, **claims)),
        scopes=["https://www.googleapis.com/auth/cloud-platform"],
    )


def refusal(credentials: identity_pool.Credentials) -> str:
    with pytest.raises(OAuthError) as caught:
        credentials.refresh(Request())
    return str(caught.value)


@pytest.fixture
def bucket(github: str) -> Iterator[storage.Bucket]:
    client = storage.Client()
    made = client.create_bucket("of-the-federation")
    yield made
    made.delete(force=True)


def test_the_right_token_becomes_a_principal_whom_policies_know_by_its_attributes(
    github: str, bucket: storage.Bucket
) -> None:
    visitor = storage.Client(project="ragonometrics-sandbox", credentials=bearer(github)).bucket(bucket.name)
    with pytest.raises(google.api_core.exceptions.Forbidden, match="/subject/repo:a/papers:ref:refs/heads/main"):
        visitor.blob("source.zip").upload_from_string(b"x")
    pool = github.partition("/providers/")[0]
    policy = bucket.get_iam_policy()
    member = f"principalSet://iam.googleapis.com/{pool}/attribute.repository/a/papers"
    policy.bindings.append({"role": "roles/storage.objectCreator", "members": {member}})
    bucket.set_iam_policy(policy)
    visitor.blob("source.zip").upload_from_string(b"x")
    with pytest.raises(google.api_core.exceptions.Forbidden):
        visitor.blob("source.zip").download_as_bytes()


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"ref": "refs/heads/other"}, "attribute condition"),
        ({"repository": "somebody/else"}, "attribute condition"),
        ({"ref": None}, "attribute condition"),
        ({"iss": "https://example.com"}, "issuer"),
        ({"aud": "somebody"}, "audience"),
        ({"exp": 1}, "signature"),
    ],
)
def test_any_other_token_is_turned_away(github: str, claims: dict[str, Any], why: str) -> None:
    assert why in refusal(bearer(github, **claims))


def test_token_that_another_key_signed_is_turned_away(github: str) -> None:
    impostor = Key("", id=KEY.id)
    assert "signature" in refusal(bearer(github, impostor))


def test_issuer_whose_keys_the_sandbox_would_have_to_fetch_is_refused_by_name(ask: Ask, github: str) -> None:
    known = provider()
    del known["oidc"]["jwksJson"]
    name = f"v1/{github}"
    status, told = ask("PATCH", name, known, updateMask="oidc.jwksJson")
    assert (status, "jwksJson" in ask("GET", name)[1]["oidc"]) == (200, False), told
    assert "fetching the keys of https://token.actions" in refusal(bearer(github))
    ask("PATCH", name, provider(), updateMask="oidc.jwksJson")
    bearer(github).refresh(Request())


def test_what_is_deleted_lets_nobody_in_and_can_be_brought_back(ask: Ask, github: str) -> None:
    assert ask("DELETE", f"v1/{github}")[0] == 200
    assert ask("GET", f"v1/{github}")[1]["state"] == "DELETED"
    assert ask("GET", f"{POOL}/github/providers")[1]["workloadIdentityPoolProviders"] == []
    assert "audience" in refusal(bearer(github))
    status, told = ask("POST", f"{POOL}/github/providers", provider(), workloadIdentityPoolProviderId="papers")
    assert (status, "undelete" in told["error"]["message"]) == (409, True)
    assert ask("POST", f"v1/{github}:undelete", {})[0] == 200
    bearer(github).refresh(Request())


@pytest.mark.parametrize(
    ("more", "status", "problem"),
    [
        ({"attributeCondition": ""}, 400, "must reference one of the provider's claims"),
        ({"attributeMapping": {"attribute.a": "assertion.b"}}, 400, "google.subject"),
        ({"attributeMapping": {"google.subject": "'x' + assertion.sub"}}, 501, "only assertion.CLAIM"),
        ({"attributeCondition": "assertion.sub.size() > 1"}, 501, "size"),
        ({"oidc": {"issuerUri": "http://plain"}}, 400, "https"),
        ({"saml": {}}, 501, "saml of a WorkloadIdentityPoolProvider"),
    ],
)
def test_provider_that_is_wrong_or_more_than_the_sandbox_does_is_refused(
    ask: Ask, github: str, more: dict[str, Any], status: int, problem: str
) -> None:
    path = f"{POOL}/github/providers"
    found, told = ask("POST", path, provider(**more), workloadIdentityPoolProviderId="wrong")
    assert found == status, told
    assert problem in told["error"]["message"]


def test_pools_are_listed_by_the_number_of_the_project(ask: Ask, github: str) -> None:
    found = ask("GET", POOL)[1]["workloadIdentityPools"]
    assert [one["name"] for one in found] == [github.partition("/providers/")[0]]
    assert PROJECT not in github
