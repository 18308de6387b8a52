"""The load balancer's process: what it does with requests, targets and connections."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sandbox.balancing import CHECK, FORWARD, SOURCE, App, Balancing, running_apps
from tests.sandbox.conftest import eventually


@pytest.fixture(scope="module")
def process() -> Iterator[Balancing]:
    running = Balancing()
    yield running
    running.end()


@pytest.fixture
def balancing(process: Balancing) -> Iterator[Balancing]:
    """The process, which knows of nothing."""
    process.tell(app={})
    process.health.clear()
    process.drained.clear()
    process.host = None
    yield process
    process.tell(app={})


@pytest.fixture
def apps() -> Iterator[list[App]]:
    with running_apps("one", "two") as both:
        yield both


def answered(balancing: Balancing, count: int = 8) -> set[str]:
    """The names of the apps that answer."""
    return {balancing.told()["app"] for _ in range(count)}


class TestTargets:
    def test_requests_go_round(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(*apps)
        assert Counter(balancing.told()["app"] for _ in range(10)) == {"one": 5, "two": 5}

    def test_the_one_with_the_fewest_requests_is_next_when_it_is_asked_for(
        self, balancing: Balancing, apps: list[App]
    ) -> None:
        balancing.serve(*apps)
        targets = {app.key: app.told() for app in apps}
        balancing.tell(app={"targets": targets, "algorithm": "least_outstanding_requests"})
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(balancing.told, "/slow")
            eventually(lambda: any(app.waiting.is_set() for app in apps))
            [busy] = [app for app in apps if app.waiting.is_set()]
            assert busy.name not in answered(balancing)
            busy.resume.set()
            assert slow.result()["app"] == busy.name

    def test_a_group_without_targets_is_unavailable(self, balancing: Balancing) -> None:
        assert balancing.get()[0] == 503

    def test_a_target_gets_no_request_before_a_check_has_passed(self, balancing: Balancing, apps: list[App]) -> None:
        one, two = apps
        two.status = 500
        check = {**CHECK, "interval": 600}
        balancing.tell(app={"targets": {app.key: app.told() for app in apps}, "check": check})
        eventually(lambda: balancing.state(one) == "healthy")
        eventually(lambda: balancing.state(two) == "initial")
        assert answered(balancing) == {"one"}

    def test_a_new_target_is_found_soon_also_where_checks_are_rare(self, balancing: Balancing, apps: list[App]) -> None:
        apps[0].status = 503
        balancing.tell(app={"targets": {apps[0].key: apps[0].told()}, "check": {**CHECK, "interval": 600}})
        eventually(lambda: balancing.state(apps[0]) == "initial")
        apps[0].status = 200
        eventually(lambda: balancing.state(apps[0]) == "healthy")

    def test_an_unhealthy_target_leaves_and_comes_back(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(*apps)
        apps[1].status = 500
        eventually(lambda: balancing.state(apps[1]) == "unhealthy")
        why = ["unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"]
        assert balancing.health[apps[1].key] == why
        assert answered(balancing) == {"one"}
        apps[1].status = 200
        eventually(lambda: balancing.state(apps[1]) == "healthy")
        assert answered(balancing) == {"one", "two"}

    @pytest.mark.parametrize(
        ("matcher", "state"), [("200-299", "healthy"), ("200,204", "healthy"), ("200", "unhealthy")]
    )
    def test_the_matcher_says_which_codes_are_good(
        self, balancing: Balancing, apps: list[App], matcher: str, state: str
    ) -> None:
        apps[0].status = 204
        balancing.tell(app={"targets": {apps[0].key: apps[0].told()}, "check": {**CHECK, "matcher": matcher}})
        eventually(lambda: balancing.state(apps[0]) == state)

    def test_a_target_that_refuses_and_one_that_is_out_of_reach_fail_for_different_reasons(
        self, balancing: Balancing, apps: list[App]
    ) -> None:
        one, two = apps
        one.end()
        balancing.tell(app={one.key: one.told(), two.key: two.told(address=None, check=None)})
        eventually(lambda: (balancing.state(one), balancing.state(two)) == ("unhealthy", "unhealthy"))
        reasons = [balancing.health[app.key][1] for app in apps]
        assert reasons == ["Target.FailedHealthChecks", "Target.Timeout"]

    def test_where_no_target_is_healthy_all_get_requests(self, balancing: Balancing, apps: list[App]) -> None:
        for app in apps:
            app.status = 500
        balancing.tell(app={app.key: app.told() for app in apps})
        eventually(lambda: all(balancing.state(app) == "unhealthy" for app in apps))
        assert answered(balancing) == {"one", "two"}

    def test_a_group_that_no_rule_names_is_not_checked(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.tell(
            app={apps[0].key: apps[0].told()}, other={"targets": {apps[1].key: apps[1].told()}, "used": False}
        )
        eventually(lambda: balancing.state(apps[0]) == "healthy")
        assert balancing.state(apps[1]) is None

    def test_a_cookie_leads_to_the_same_target_again(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(*apps)
        balancing.tell(app={"targets": {app.key: app.told() for app in apps}, "sticky": 60})
        connection = balancing.connect()
        connection.request("GET", "/")
        answer = connection.getresponse()
        first, cookie = json.loads(answer.read())["app"], str(answer.headers["Set-Cookie"]).partition(";")[0]
        assert cookie.startswith("AWSALB=")
        assert {balancing.told(headers={"Cookie": f"a=b; {cookie}"})["app"] for _ in range(6)} == {first}

    def test_weights_share_requests_between_groups(self, balancing: Balancing, apps: list[App]) -> None:
        blue, green = ({app.key: app.told()} for app in apps)
        rule = {"conditions": [], "action": {"Type": "forward", "groups": {"blue": 9, "green": 1}}}
        balancing.tell(rule, blue=blue, green=green)
        eventually(lambda: all(balancing.state(app) == "healthy" for app in apps))
        assert Counter(balancing.told()["app"] for _ in range(20)) == {"one": 18, "two": 2}


class TestDraining:
    def test_a_target_that_leaves_finishes_its_requests_and_gets_no_more(
        self, balancing: Balancing, apps: list[App]
    ) -> None:
        one, two = apps
        balancing.serve(one)
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(balancing.told, "/slow")
            assert one.waiting.wait(10)
            balancing.tell(app={one.key: one.told(draining=30), two.key: two.told()})
            eventually(lambda: balancing.state(two) == "healthy")
            assert answered(balancing) == {"two"}
            assert balancing.drained == []
            one.resume.set()
            assert slow.result()["app"] == "one"
        eventually(lambda: balancing.drained == [one.key])

    def test_when_the_time_is_over_its_requests_are_cut(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(balancing.get, "/slow")
            assert apps[0].waiting.wait(10)
            balancing.tell(app={apps[0].key: apps[0].told(draining=0.1)})
            assert slow.result()[0] == 502
        eventually(lambda: balancing.drained == [apps[0].key])

    def test_an_idle_target_leaves_at_once(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        assert answered(balancing) == {"one"}
        balancing.tell(app={apps[0].key: apps[0].told(draining=300)})
        eventually(lambda: balancing.drained == [apps[0].key])
        assert balancing.get()[0] == 503

    def test_a_target_that_is_registered_again_is_checked_anew(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        balancing.tell(app={apps[0].key: apps[0].told(draining=300)})
        balancing.health.clear()
        balancing.serve(apps[0])
        assert answered(balancing) == {"one"}


class TestRequests:
    def test_a_request_arrives_as_it_was_sent_and_says_where_it_came_from(
        self, balancing: Balancing, apps: list[App]
    ) -> None:
        balancing.serve(apps[0])
        headers = {"X-Forwarded-For": "198.51.100.7", "X-Own": "kept", "Host": "api.example.com"}
        told = balancing.told("/a%20b?q=1&q=2", method="PUT", body=b"text", headers=headers)
        assert (told["method"], told["path"], told["body"]) == ("PUT", "/a%20b?q=1&q=2", "text")
        expected = {
            "x-forwarded-for": f"198.51.100.7, {SOURCE}",
            "x-forwarded-proto": "http",
            "x-forwarded-port": "80",
            "x-own": "kept",
            "host": "api.example.com",
        }
        assert told["fields"] | expected == told["fields"]
        assert told["fields"]["x-amzn-trace-id"].startswith("Root=1-")

    @pytest.mark.parametrize(("mode", "seen"), [("preserve", "198.51.100.7"), ("remove", None)])
    def test_what_becomes_of_x_forwarded_for_can_be_chosen(
        self, balancing: Balancing, apps: list[App], mode: str, seen: str | None
    ) -> None:
        balancing.serve(apps[0], forwarded=mode)
        told = balancing.told(headers={"X-Forwarded-For": "198.51.100.7"})
        assert told["fields"].get("x-forwarded-for") == seen

    def test_connection_names_no_field_away_that_the_target_needs(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        headers = {"Connection": "content-length, x-private", "X-Private": "hop"}
        told = balancing.told(method="POST", body=b"text", headers=headers)
        assert told["body"] == "text"
        assert "x-private" not in told["fields"]

    def test_a_body_in_chunks_arrives(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        parts = [b"x" * 70_000, b"y", b"z" * 10]
        told = balancing.told(method="POST", body=iter(parts))
        assert told["body"] == b"".join(parts).decode()

    def test_a_client_that_asks_first_is_told_to_go_on(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        with balancing.raw() as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"text")
            assert b'"body": "text"' in client.recv(4096)

    def test_an_answer_is_passed_on_while_it_is_made(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        connection = balancing.connect()
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        assert answer.read(5) == b"first"
        apps[0].resume.set()
        assert answer.read() == b"second"

    def test_an_answer_that_ends_with_its_connection_arrives_whole(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        assert balancing.get("/until-the-end") == (200, b"to the end")

    def test_the_answer_to_head_has_no_body(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        connection = balancing.connect()
        for method in ("HEAD", "GET"):
            connection.request(method, "/")
            answer = connection.getresponse()
            assert bool(answer.read()) is (method == "GET")

    def test_a_websocket_talks_both_ways(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        with balancing.raw() as client:
            client.sendall(b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
            for word in (b"one", b"two"):
                client.sendall(word)
                assert client.recv(100) == word

    def test_a_websocket_that_is_silent_for_too_long_is_ended(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0], idle=0.3)
        with balancing.raw() as client:
            client.sendall(b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
            assert client.recv(100) == b""

    @pytest.mark.parametrize(
        "head",
        [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: a\r\nX: {'x' * 70_000}\r\n\r\n",
        ],
    )
    def test_a_request_that_can_be_understood_in_two_ways_is_refused(
        self, balancing: Balancing, apps: list[App], head: str
    ) -> None:
        balancing.serve(apps[0])
        with balancing.raw() as client:
            client.sendall(head.encode())
            assert client.recv(4096).startswith(b"HTTP/1.1 400 ")


class TestFailures:
    @pytest.mark.parametrize("path", ["/reset", "/garbage", "/head"])
    def test_a_target_without_a_proper_answer_is_a_bad_gateway(
        self, balancing: Balancing, apps: list[App], path: str
    ) -> None:
        balancing.serve(apps[0])
        assert balancing.get(path)[0] == 502
        assert balancing.get()[0] == 200

    def test_a_target_that_takes_too_long_is_a_time_out(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0], idle=0.3)
        assert balancing.get("/slow")[0] == 504

    def test_a_target_out_of_reach_is_a_time_out(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        balancing.tell(app={apps[0].key: apps[0].told(address=None)})
        assert balancing.get()[0] == 504

    def test_failures_and_answers_are_counted(self, balancing: Balancing, apps: list[App]) -> None:
        rule = {"conditions": [], "action": {"Type": "forward", "groups": {"counted": 1}}}
        balancing.tell(rule, counted={apps[0].key: apps[0].told()})
        eventually(lambda: balancing.state(apps[0]) == "healthy")
        for path in ("/", "/", "/reset"):
            balancing.get(path)
        eventually(lambda: balancing.counted("counted")["RequestCount"] == 3)
        counted = {"RequestCount": 3, "HTTPCode_Target_2XX_Count": 2, "TargetConnectionErrorCount": 1}
        assert balancing.counted("counted") == counted
        assert balancing.counted("")["HTTPCode_ELB_502_Count"] >= 1
        assert sum(number for one in balancing.counts if one["group"] == "counted" for _, number in one["times"]) == 2


class TestConnections:
    def test_both_sides_keep_their_connections(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        connection = balancing.connect()
        for _ in range(5):
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            assert not answer.will_close
        assert apps[0].connections == 1

    def test_a_client_that_wants_no_more_is_let_go(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        with balancing.raw() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            with client.makefile("rb") as answer:
                assert b"\r\nConnection: close\r\n" in answer.read()

    def test_new_rules_hold_for_open_connections(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        connection = balancing.connect()
        statuses = []
        for code in ("200", "404"):
            rule = {"conditions": [], "action": {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": code}}}
            balancing.tell(rule, app={apps[0].key: apps[0].told()})
            connection.request("POST", "/", body=b"text")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        assert statuses == [200, 404]

    def test_200_requests_at_once_are_answered(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(*apps)
        with ThreadPoolExecutor(200) as threads:
            answers = list(threads.map(lambda number: balancing.told(f"/{number}"), range(200)))
        assert [answer["path"] for answer in answers] == [f"/{number}" for number in range(200)]
        assert Counter(answer["app"] for answer in answers) == {"one": 100, "two": 100}

    def test_a_proxys_client_that_asks_for_another_host_is_given_back(
        self, balancing: Balancing, apps: list[App]
    ) -> None:
        balancing.serve(apps[0])
        balancing.host = "web.elb.amazonaws.com"
        other = b"GET http://sts.amazonaws.com/ HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n"
        with balancing.raw() as client:
            client.sendall(b"GET http://web.elb.amazonaws.com/path HTTP/1.1\r\nHost: web.elb.amazonaws.com\r\n\r\n")
            assert b'"path": "/path"' in client.recv(4096)
            client.sendall(other)
            assert client.recv(100) == b""
        eventually(lambda: balancing.returned == [other])

    def test_a_load_balancer_that_is_gone_answers_no_more(self, balancing: Balancing, apps: list[App]) -> None:
        balancing.serve(apps[0])
        connection = balancing.connect()
        connection.request("GET", "/")
        connection.getresponse().read()
        balancing.empty()
        connection.request("GET", "/")
        with pytest.raises(ConnectionError):
            connection.getresponse()


def test_redirects_say_where_to(balancing: Balancing) -> None:
    config: dict[str, Any] = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    balancing.tell({"conditions": [], "action": {"Type": "redirect", "RedirectConfig": config}}, FORWARD)
    connection = balancing.connect()
    connection.request("GET", "/a?b=c", headers={"Host": "web.example.com:8080"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, "https://web.example.com:443/a?b=c")
