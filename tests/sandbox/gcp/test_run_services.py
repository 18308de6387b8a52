"""Cloud Run services by Google's clients and over their own URLs: revisions, traffic, who may call, scaling, failures."""

import http.client
import os
import signal
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import google.auth
import google.auth.transport.requests
import pytest
import requests
from google.api_core import exceptions
from google.cloud import iam_admin_v1, iam_credentials_v1, run_v2

from ragonotebooks.sandbox import status
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.gcp.conftest import PROJECT
from tests.sandbox.gcp.images import LOCATION, push
from tests.sandbox.gcp.running import Running
from tests.sandbox.gcp.test_access import grant, new_account

SERVER = rb"""
import http.server, json, os, sys, time
if os.environ.get("BROKEN"):
    sys.exit("cannot read the settings")
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade"):
            self.close_connection = True
            self.send_response_only(101)
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", "websocket")
            self.end_headers()
            while data := self.connection.recv(1024):
                self.connection.sendall(data.upper())
            return
        if self.path == "/hang":
            Handler.hangs = True
        if self.path == "/health" and getattr(Handler, "hangs", False):
            time.sleep(60)
        if self.path == "/stream":
            self.close_connection = True
            self.send_response(200)
            self.end_headers()
            for number in range(3):
                self.wfile.write(f"{number}\n".encode())
                self.wfile.flush()
                time.sleep(0.3)
            return
        if self.path == "/slow":
            time.sleep(2)
        if self.path == "/die":
            os._exit(1)
        body = {"revision": os.environ["K_REVISION"], "word": os.environ.get("WORD", ""), "pid": os.getpid(),
                "headers": {name.lower(): value for name, value in self.headers.items()}}
        self.answer(json.dumps(body).encode())
    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        print(json.dumps({"severity": "INFO", "message": self.path}), flush=True)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Services(Running):
    """Makes services of an image that answers what it is asked."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.image = push("running", "server", {"server.py": SERVER})
        self.services, self.revisions = run_v2.ServicesClient(), run_v2.RevisionsClient()

    def template(self, word: str = "", container: Any = None, **more: Any) -> dict[str, Any]:
        """A template whose instances answer with `word`."""
        described = {"image": self.image, "args": ["-m", "server"], "env": [{"name": "WORD", "value": word}]}
        return {"containers": [{**described, **(container or {})}], "service_account": self.account, **more}

    def make(self, name: str, template: Any = None, public: bool = True, **more: Any) -> run_v2.Service:
        """Make a service that everybody may call."""
        service = {"template": template or self.template(), "invoker_iam_disabled": public, **more}
        return self.services.create_service(parent=LOCATION, service_id=name, service=service).result(timeout=60)

    def change(self, name: str, **fields: Any) -> run_v2.Service:
        """Change some fields of a service."""
        service = {"name": f"{LOCATION}/services/{name}", **fields}
        request = {"service": service, "update_mask": {"paths": list(fields)}}
        return self.services.update_service(request=request).result(timeout=60)

    def get(self, name: str) -> run_v2.Service:
        """A service as it is now."""
        return self.services.get_service(name=f"{LOCATION}/services/{name}")

    def names(self, name: str) -> list[str]:
        """The revisions of a service, the oldest first."""
        found = self.revisions.list_revisions(parent=f"{LOCATION}/services/{name}")
        return [one.name.rpartition("/")[2] for one in found]


@pytest.fixture
def run(gcp: Sandbox) -> Services:
    return Services(gcp)


def ask(url: str, **headers: str) -> Any:
    """What a service answers."""
    answer = requests.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_service_answers_at_its_url_when_its_operation_is_done(run: Services) -> None:
    service = run.make("hello", run.template("hi"))
    assert service.uri == "https://hello-314159265358.us-central1.run.app"
    assert (service.terminal_condition.type_, service.terminal_condition.state.name) == ("Ready", "CONDITION_SUCCEEDED")
    answer = ask(service.uri)
    assert (answer["word"], answer["revision"]) == ("hi", service.latest_ready_revision.rpartition("/")[2])
    assert answer["headers"]["x-forwarded-proto"] == "https"
    assert requests.post(service.uri, data=b"x" * 100_000, timeout=30).content == b"x" * 100_000
    assert [(one.percent, one.revision) for one in service.traffic_statuses] == [(100, answer["revision"])]


def test_one_connection_carries_many_requests(run: Services) -> None:
    service = run.make("lasting")
    with requests.Session() as session:
        answers = [session.get(service.uri, timeout=30) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {200}
        pool = session.get_adapter(service.uri).poolmanager  # type: ignore[attr-defined]
        assert sum(one.num_connections for one in _pools(pool)) <= 1


def _pools(manager: Any) -> list[Any]:
    return [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118 - urllib3's container is no mapping


def test_a_new_template_makes_a_revision_and_anything_else_does_not(run: Services) -> None:
    run.make("revised", run.template("one"))
    assert len(run.names("revised")) == 1
    run.change("revised", labels={"team": "papers"})
    run.change("revised", template=run.template("one"))
    assert len(run.names("revised")) == 1
    service = run.change("revised", template=run.template("two"))
    assert len(run.names("revised")) == 2
    assert ask(service.uri)["word"] == "two"


def test_traffic_is_split_and_taken_back(run: Services) -> None:
    run.make("split", run.template("old", revision="split-old"))
    run.change("split", template=run.template("new", revision="split-new"))
    both = [
        {"revision": "split-old", "percent": 50, "type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"},
        {"revision": "split-new", "percent": 50, "type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "tag": "next"},
    ]
    service = run.change("split", traffic=both)
    assert {ask(service.uri)["word"] for _ in range(30)} == {"old", "new"}
    tagged = next(one.uri for one in service.traffic_statuses if one.tag)
    assert tagged == "https://next---split-314159265358.us-central1.run.app"
    assert {ask(tagged)["word"] for _ in range(3)} == {"new"}
    service = run.change("split", traffic=[{**both[0], "percent": 100}])
    assert {ask(service.uri)["word"] for _ in range(5)} == {"old"}
    with pytest.raises(exceptions.InvalidArgument, match="add up to 100"):
        run.change("split", traffic=both[:1])
    with pytest.raises(exceptions.InvalidArgument, match="no revision of the service"):
        run.change("split", traffic=[{**both[0], "revision": "split-nothing", "percent": 100}])


def test_a_revision_that_does_not_start_gets_no_traffic_and_says_why(run: Services) -> None:
    run.make("careful", run.template("good"))
    broken = run.template("bad", {"env": [{"name": "BROKEN", "value": "1"}]})
    with pytest.raises(exceptions.FailedPrecondition) as failure:
        run.change("careful", template=broken)
    assert "failed to start and listen on the port" in str(failure.value)
    assert "cannot read the settings" in str(failure.value)
    service = run.get("careful")
    assert service.terminal_condition.state.name == "CONDITION_FAILED"
    assert service.latest_created_revision != service.latest_ready_revision
    assert ask(service.uri)["word"] == "good"
    revision = run.revisions.get_revision(name=service.latest_created_revision)
    healthy = next(one for one in revision.conditions if one.type_ == "ContainerHealthy")
    assert (healthy.state.name, healthy.revision_reason.name) == ("CONDITION_FAILED", "HEALTH_CHECK_CONTAINER_ERROR")
    assert run.change("careful", template=run.template("better")).terminal_condition.state.name == "CONDITION_SUCCEEDED"
    assert ask(service.uri)["word"] == "better"


def test_a_first_revision_that_fails_leaves_a_service_without_traffic(run: Services) -> None:
    with pytest.raises(exceptions.FailedPrecondition, match="not ready and cannot serve traffic"):
        run.make("stillborn", run.template(container={"args": ["-c", "import time; time.sleep(60)"], **_short_probe()}))
    service = run.get("stillborn")
    assert requests.get("https://stillborn-314159265358.us-central1.run.app", timeout=60).status_code == 503
    assert service.latest_ready_revision == ""


def _short_probe() -> dict[str, Any]:
    return {"startup_probe": {"period_seconds": 1, "failure_threshold": 1, "tcp_socket": {}}}


def test_a_startup_probe_over_http_must_be_passed(run: Services) -> None:
    probe = {"period_seconds": 1, "failure_threshold": 60, "http_get": {"path": "/health"}}
    assert ask(run.make("probed", run.template("ok", {"startup_probe": probe})).uri)["word"] == "ok"


def test_a_service_listens_on_the_port_of_its_container(run: Services) -> None:
    service = run.make("ported", run.template("ok", {"ports": [{"container_port": 9090}]}))
    assert ask(service.uri)["word"] == "ok"


def test_only_whom_a_policy_lets_invoke_a_private_service(run: Services) -> None:
    service = run.make("private", public=False)
    refused = requests.get(service.uri, timeout=60)
    assert (refused.status_code, "does not have permission" in refused.text) == (403, True)
    invalid = requests.get(service.uri, headers={"Authorization": "Bearer x.y.z"}, timeout=60)
    assert (invalid.status_code, "invalid_token" in invalid.headers["WWW-Authenticate"]) == (401, True)
    # the operator is an owner of the project, which permits everything
    credentials, _ = google.auth.default()
    credentials.refresh(google.auth.transport.requests.Request())
    answer = ask(service.uri, Authorization=f"Bearer {credentials.id_token}")
    assert answer["headers"]["authorization"].endswith(".SIGNATURE_REMOVED_BY_GOOGLE")
    email = new_account("caller")
    assert requests.get(service.uri, headers=_as(email, service.uri), timeout=60).status_code == 403
    grant(run.services, service.name, "roles/run.invoker", f"serviceAccount:{email}")
    assert requests.get(service.uri, headers=_as(email, service.uri), timeout=60).status_code == 200
    assert requests.get(service.uri, headers=_as(email, "https://other"), timeout=60).status_code == 401
    other = {"Authorization": "Bearer key-of-the-application"}
    assert requests.get(
        service.uri, headers={**_as(email, service.uri, "X-Serverless-Authorization"), **other}, timeout=60
    ).ok
    grant(run.services, service.name, "roles/run.invoker", "allUsers")
    assert ask(service.uri, **other)["headers"]["authorization"] == "Bearer key-of-the-application"


def _as(email: str, audience: str, name: str = "Authorization") -> dict[str, str]:
    account = f"{PROJECT}/serviceAccounts/{email}"
    grant(
        iam_admin_v1.IAMClient(), account, "roles/iam.serviceAccountTokenCreator", "user:operator@ragonometrics.example"
    )
    client = iam_credentials_v1.IAMCredentialsClient()
    answer = client.generate_id_token(name=f"projects/-/serviceAccounts/{email}", audience=audience)
    return {name: f"Bearer {answer.token}"}


def test_instances_end_when_idle_and_start_when_asked(run: Services, gcp: Sandbox) -> None:
    service = run.make("sleepy")
    first = ask(service.uri)["pid"]
    eventually(lambda: not _lives(first))
    assert ask(service.uri)["pid"] != first


def test_least_instances_stay_and_are_replaced(run: Services) -> None:
    service = run.make("awake", run.template(scaling={"min_instance_count": 1}))
    first = ask(service.uri)["pid"]
    with pytest.raises(AssertionError, match="connection to the instance had an error"):
        ask(f"{service.uri}/die")
    eventually(lambda: not _lives(first))
    assert ask(service.uri)["pid"] != first
    time.sleep(11)  # longer than idle instances live
    assert _lives(ask(service.uri)["pid"])


def test_a_request_in_the_moment_after_an_instance_died_is_answered_by_another(run: Services) -> None:
    service = run.make("mourned", run.template(scaling={"min_instance_count": 1}))
    for _ in range(3):
        os.kill(dead := ask(service.uri)["pid"], signal.SIGKILL)
        while _listens(dead):
            pass  # the next request is to come at once when it listens no more
        assert ask(service.uri)["pid"] != dead


def test_an_instance_that_fails_its_liveness_probe_is_replaced(run: Services) -> None:
    probe = {"period_seconds": 1, "failure_threshold": 3, "http_get": {"path": "/health"}}
    service = run.make("alive", run.template("ok", {"liveness_probe": probe}, scaling={"min_instance_count": 1}))
    first = ask(f"{service.uri}/hang")["pid"]
    eventually(lambda: not _lives(first))
    assert ask(service.uri)["pid"] != first


def test_concurrency_makes_more_instances_up_to_the_most(run: Services) -> None:
    template = run.template(scaling={"max_instance_count": 2}, max_instance_request_concurrency=1)
    service = run.make("crowded", template)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: ask(f"{service.uri}/slow"), range(4)))
    assert len({answer["pid"] for answer in answers}) == 2


def test_a_request_that_takes_too_long_is_ended(run: Services) -> None:
    service = run.make("hasty", run.template(timeout="1s"))
    assert requests.get(f"{service.uri}/slow", timeout=60).status_code == 504


def test_requests_and_what_they_cause_are_in_the_log_under_one_trace(run: Services) -> None:
    service = run.make("logged")
    trace = "105445aa7843bc8bf206b12000100000"
    ask(f"{service.uri}/page", X_Cloud_Trace_Context=f"{trace}/1")
    text = 'resource.type="cloud_run_revision" resource.labels.service_name="logged"'
    eventually(lambda: run.log(f'{text} log_id("run.googleapis.com/requests")'))
    [entry] = run.log(f'{text} log_id("run.googleapis.com/requests")')
    assert (entry.http_request["requestUrl"], entry.http_request["status"]) == (f"{service.uri}/page", 200)
    assert entry.trace == f"{PROJECT}/traces/{trace}"
    eventually(
        lambda: [one.payload for one in run.log(f'{text} jsonPayload.message="/page"')] == [{"message": "/page"}]
    )


def test_a_websocket_passes_both_ways(run: Services, gcp: Sandbox) -> None:
    host = run.make("talking").uri.partition("://")[2]
    trusted = ssl.create_default_context(cafile=gcp.bundle)
    connection = http.client.HTTPSConnection("127.0.0.1", gcp.state.port, context=trusted, timeout=60)
    connection.set_tunnel(host, 443)
    connection.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    response = http.client.HTTPResponse(connection.sock)
    response.begin()
    assert response.status == 101
    connection.sock.sendall(b"hello")
    assert connection.sock.recv(100) == b"HELLO"
    connection.close()


def test_an_answer_is_passed_on_as_it_comes(run: Services) -> None:
    service = run.make("streaming")
    started = time.monotonic()
    with requests.get(f"{service.uri}/stream", stream=True, timeout=60) as answer:
        arrived = [(line, time.monotonic() - started) for line in answer.iter_lines(chunk_size=1)]
    assert [line for line, _ in arrived] == [b"0", b"1", b"2"]
    assert arrived[2][1] - arrived[0][1] > 0.3


def test_an_instance_calls_a_private_service_in_the_name_of_its_account(run: Services) -> None:
    service, email = run.make("callee", public=False), new_account("frontend")
    program = """
import os, urllib.request
def get(url, **headers):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60).read().decode()
metadata = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience="
token = get(metadata + os.environ["CALLEE"], **{"Metadata-Flavor": "Google"})
print(get(os.environ["CALLEE"], Authorization="Bearer " + token)[:12])
"""
    env = [{"name": "CALLEE", "value": service.uri}]
    job = run.make_job("frontend", program, container={"env": env}, task={"service_account": email})
    with pytest.raises(exceptions.GoogleAPICallError):
        run.run(job)
    grant(run.services, service.name, "roles/run.invoker", f"serviceAccount:{email}")
    run.run(job)
    assert run.lines("frontend")[-1] == '{"revision":'


def test_a_browser_of_this_machine_reaches_a_service_that_is_in_the_status(run: Services, gcp: Sandbox) -> None:
    run.make("seen", run.template("here"))
    servers = {server.id: server for server in status.ask(gcp.state).servers if server.service == "run"}
    assert ask(f"http://{servers['seen'].address}:{servers['seen'].port}")["word"] == "here"
    assert any(name.startswith("seen/") and server.pid for name, server in servers.items())


def test_a_refused_request_is_in_the_log_too(run: Services) -> None:
    service = run.make("locked", public=False)
    assert requests.get(service.uri, timeout=60).status_code == 403
    text = 'resource.labels.service_name="locked" httpRequest.status=403'
    eventually(lambda: run.log(text))
    [entry] = run.log(text)
    assert (entry.severity, entry.resource.labels["revision_name"]) == ("WARNING", "")


def test_a_body_that_is_too_large_is_refused(run: Services) -> None:
    service = run.make("small")
    assert requests.post(service.uri, data=b"x" * (32 * 1024**2 + 1), timeout=30).status_code == 413
    assert requests.post(service.uri, data=b"x" * 1024**2, timeout=30).status_code == 200


def test_an_internal_service_is_not_there_for_the_outside(run: Services) -> None:
    service = run.make("inner", ingress="INGRESS_TRAFFIC_INTERNAL_ONLY")
    assert requests.get(service.uri, timeout=60).status_code == 404
    assert requests.get(service.uri.replace("inner-", "nothing-"), timeout=60).status_code == 404


def test_a_revision_in_use_is_not_deleted_and_an_old_one_is(run: Services) -> None:
    run.make("pruned", run.template("one"))
    service = run.change("pruned", template=run.template("two"))
    old, new = run.names("pruned")
    with pytest.raises(exceptions.FailedPrecondition, match="latest"):
        run.revisions.delete_revision(name=f"{service.name}/revisions/{new}").result(timeout=60)
    run.revisions.delete_revision(name=f"{service.name}/revisions/{old}").result(timeout=60)
    assert run.names("pruned") == [new]


def test_a_deleted_service_is_gone_with_its_instances(run: Services) -> None:
    service = run.make("gone", run.template(scaling={"min_instance_count": 1}))
    pid = ask(service.uri)["pid"]
    run.services.delete_service(name=service.name).result(timeout=60)
    assert not _lives(pid)
    assert requests.get(service.uri, timeout=60).status_code == 404
    with pytest.raises(exceptions.NotFound):
        run.services.get_service(name=service.name)


@pytest.mark.parametrize(
    ("container", "more", "problem"),
    [
        ({"liveness_probe": {"grpc": {"port": 1}}}, {}, "gRPC probe"),
        ({"readiness_probe": {"http_get": {"path": "/"}}}, {}, "readiness_probe"),
        ({"ports": [{"name": "h2c", "container_port": 8080}]}, {}, "h2c"),
        ({"env": [{"name": "PORT", "value": "1"}]}, {}, "reserved env names"),
        ({"resources": {"limits": {"memory": "lots"}}}, {}, "Invalid value specified for container memory"),
        ({}, {"scaling": {"min_instance_count": 5, "max_instance_count": 2}}, "greater than"),
        ({}, {"session_affinity": True}, "session_affinity"),
        ({}, {"containers": []}, "has no container"),
    ],
)
def test_a_service_that_cannot_be_is_refused(run: Services, container: Any, more: Any, problem: str) -> None:
    with pytest.raises(exceptions.GoogleAPICallError, match=problem):
        run.make("refused", run.template(container=container, **more))


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _listens(pid: int) -> bool:
    """Whether a process has not ended yet, even if nobody has noticed its end."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
