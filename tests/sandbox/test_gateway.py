"""The gateway: what passes, what is refused, and what a client sees."""

import http.client
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from ragonotebooks.sandbox.front import OPERATOR_ADDRESS
from tests.sandbox.conftest import Sandbox


def through(sandbox: Sandbox, url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": sandbox.proxy, "https": sandbox.proxy}
        session.verify = sandbox.bundle
        return session.get(url, timeout=60)


@pytest.mark.parametrize(
    "host", ["example.com", "example.org", "amazonaws.com.example.com", "storage.googleapis.com.evil"]
)
def test_a_host_that_is_not_emulated_gets_403_by_name(sandbox: Sandbox, host: str) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match=f"403 blocked by the sandbox: {host} is not a host"):
        through(sandbox, f"https://{host}/")
    answer = through(sandbox, f"http://{host}/")
    assert (answer.status_code, host in answer.reason) == (403, True)


def test_a_loopback_service_beside_the_sandbox_is_not_reached_through_it(sandbox: Sandbox) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="403 blocked by the sandbox"):
        through(sandbox, "https://localhost/")


def test_the_machine_has_one_public_address(sandbox: Sandbox) -> None:
    assert through(sandbox, "https://checkip.amazonaws.com/").text == f"{OPERATOR_ADDRESS}\n"
    assert through(sandbox, "http://checkip.amazonaws.com/").text == f"{OPERATOR_ADDRESS}\n"


def test_the_certificate_is_for_the_host_that_was_asked_for(sandbox: Sandbox) -> None:
    context = ssl.create_default_context(cafile=sandbox.bundle)
    tunnel = http.client.HTTPSConnection("127.0.0.1", sandbox.state.port, context=context, timeout=60)
    tunnel.set_tunnel("sts.eu-central-1.amazonaws.com", 443)
    tunnel.connect()
    shown: Any = tunnel.sock.getpeercert()
    tunnel.close()
    assert ("DNS", "sts.eu-central-1.amazonaws.com") in shown["subjectAltName"]


def test_a_connection_is_kept_for_the_next_call(sandbox: Sandbox) -> None:
    context = ssl.create_default_context(cafile=sandbox.bundle)
    tunnel = http.client.HTTPSConnection("127.0.0.1", sandbox.state.port, context=context, timeout=60)
    tunnel.set_tunnel("checkip.amazonaws.com", 443)
    for _ in range(3):
        tunnel.request("GET", "/")
        answer = tunnel.getresponse()
        answer.read()
        assert not answer.will_close
    tunnel.close()


def test_sixteen_threads_lose_no_write(sandbox: Sandbox) -> None:
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket="many-writers")
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda number: s3.put_object(Bucket="many-writers", Key=str(number), Body=b"x"), range(160)))
    assert s3.list_objects_v2(Bucket="many-writers")["KeyCount"] == 160


def test_what_passes_is_in_the_ledger(sandbox: Sandbox) -> None:
    from ragonotebooks.sandbox.ledger import read_ledger

    before = len(list(read_ledger(sandbox.folder)))
    sandbox.client("sts").get_caller_identity()
    calls = list(read_ledger(sandbox.folder))[before:]
    assert [call.status for call in calls] == [200]


def test_an_unknown_path_of_the_sandbox_itself_is_named(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.proxy}/nowhere", timeout=60, proxies={"http": ""})
    assert answer.status_code == 404
    assert "/nowhere" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/status", "/faults"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guessed"}])
def test_the_daemon_speaks_to_nobody_without_the_secret_key(
    sandbox: Sandbox, headers: dict[str, str], path: str
) -> None:
    answer = requests.get(f"{sandbox.proxy}{path}", headers=headers, timeout=60, proxies={"http": ""})
    assert answer.status_code == 401
    assert sandbox.state.secret_key not in answer.text
