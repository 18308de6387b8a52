"""Memorystore for Redis: a real server that comes, stays and goes as the API says, reached from its network alone."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from google.api_core import exceptions
from google.cloud import redis_v1
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.sandbox.conftest import eventually
from tests.sandbox.gcp.inside import Inside, google_cloud, network_for_services

LOCATION = "projects/ragonometrics-sandbox/locations/us-central1"
NETWORK = "projects/ragonometrics-sandbox/global/networks/vpc"
SUBNET = "projects/ragonometrics-sandbox/regions/us-central1/subnetworks/app"
ONCE: dict[str, Any] = {"socket_timeout": 5, "retry": Retry(NoBackoff(), 0)}
Instance = redis_v1.Instance


class Caches:
    """The operator's client of Memorystore, and a program's in the network.

    Attributes:
        inside: The cloud.
        client: Google's client.
    """

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.client = redis_v1.CloudRedisClient(transport="rest")

    def create(self, name: str, **more: Any) -> redis_v1.Instance:
        """A new instance with AUTH and TLS unless told otherwise."""
        settings: dict[str, Any] = {
            "tier": Instance.Tier.BASIC,
            "memory_size_gb": 1,
            "authorized_network": NETWORK,
            "connect_mode": Instance.ConnectMode.PRIVATE_SERVICE_ACCESS,
            "auth_enabled": True,
            "transit_encryption_mode": Instance.TransitEncryptionMode.SERVER_AUTHENTICATION,
        }
        instance = redis_v1.Instance({**settings, **more})
        return self.client.create_instance(parent=LOCATION, instance_id=name, instance=instance).result(timeout=60)

    def update(self, name: str, **fields: Any) -> redis_v1.Instance:
        """Change an instance."""
        instance = redis_v1.Instance(name=f"{LOCATION}/instances/{name}", **fields)
        request = {"update_mask": {"paths": list(fields)}, "instance": instance}
        return self.client.update_instance(request=request).result(timeout=60)

    def get(self, name: str) -> redis_v1.Instance:
        """An instance as it is now."""
        return self.client.get_instance(name=f"{LOCATION}/instances/{name}")

    def delete(self, name: str) -> None:
        """Delete an instance."""
        self.client.delete_instance(name=f"{LOCATION}/instances/{name}").result(timeout=60)

    def password(self, name: str) -> str:
        """The AUTH string of an instance."""
        return self.client.get_instance_auth_string(name=f"{LOCATION}/instances/{name}").auth_string

    def connect(self, name: str, **more: Any) -> redis.Redis:
        """A program's client that recognises the server by the instance's own authority."""
        instance = self.get(name)
        settings: dict[str, Any] = {"password": self.password(name) or None, **ONCE}
        if instance.server_ca_certs:
            trusted = self.inside.context.folder / f"{name}.pem"
            trusted.write_text(instance.server_ca_certs[0].cert)
            settings.update(ssl=True, ssl_ca_certs=str(trusted), ssl_check_hostname=True)
        return redis.Redis(instance.host, instance.port, **{**settings, **more})

    def pid(self, name: str) -> int | None:
        """The process of an instance's server."""
        servers = [one for servers in self.inside.context.servers for one in servers()]
        return next((one.pid for one in servers if one.id == name), None)


@pytest.fixture(scope="module")
def caches() -> Iterator[Caches]:
    with google_cloud() as inside:
        inside.enable("compute", "servicenetworking", "redis")
        network_for_services(inside, "vpc", "app")
        yield Caches(inside)


@pytest.fixture(scope="module")
def queue(caches: Caches) -> Iterator[str]:
    """The name of an instance with AUTH and TLS."""
    caches.create("queue")
    yield "queue"
    caches.delete("queue")


def test_a_new_instance_answers_with_auth_and_tls_inside_of_its_network(caches: Caches, queue: str) -> None:
    instance = caches.get(queue)
    assert instance.state == Instance.State.READY
    assert instance.port == 6378
    assert instance.redis_version == "REDIS_7_2"
    with caches.inside.placed(SUBNET):
        client = caches.connect(queue)
        client.set("job", "one")
        assert client.get("job") == b"one"
        assert client.info("server")["redis_version"].startswith("7.2")


def test_the_notebook_is_outside_of_the_network(caches: Caches, queue: str) -> None:
    with pytest.raises(redis.ConnectionError):
        caches.connect(queue).ping()


def test_an_egress_rule_holds_for_the_instance_too(caches: Caches, queue: str) -> None:
    compute = caches.inside.api("compute")
    rule = {
        "name": "no-redis",
        "network": NETWORK,
        "direction": "EGRESS",
        "targetTags": ["walled"],
        "denied": [{"IPProtocol": "tcp", "ports": ["6378"]}],
    }
    compute.firewalls().insert(project="ragonometrics-sandbox", body=rule).execute()
    with caches.inside.placed(SUBNET, "walled"), pytest.raises(redis.ConnectionError):
        caches.connect(queue).ping()


def test_a_wrong_password_and_a_connection_in_clear_are_refused(caches: Caches, queue: str) -> None:
    with caches.inside.placed(SUBNET):
        with pytest.raises(redis.AuthenticationError):
            caches.connect(queue, password="guessed").ping()
        instance = caches.get(queue)
        with pytest.raises(redis.ConnectionError):
            redis.Redis(instance.host, instance.port, **ONCE).ping()


def test_commands_of_the_operator_are_blocked(caches: Caches, queue: str) -> None:
    with caches.inside.placed(SUBNET), pytest.raises(redis.exceptions.NoPermissionError):
        caches.connect(queue).config_get("maxmemory")


def test_auth_turned_off_and_on_again_has_a_new_string(caches: Caches) -> None:
    caches.create("rotated", transit_encryption_mode=Instance.TransitEncryptionMode.DISABLED)
    first = caches.password("rotated")
    caches.update("rotated", auth_enabled=False)
    assert caches.password("rotated") == ""
    with caches.inside.placed(SUBNET):
        assert caches.connect("rotated").ping()
    caches.update("rotated", auth_enabled=True)
    assert caches.password("rotated") not in ("", first)
    with caches.inside.placed(SUBNET):
        assert caches.connect("rotated").ping()
        with pytest.raises(redis.AuthenticationError):
            caches.connect("rotated", password=first).ping()
    caches.delete("rotated")


def test_settings_reach_the_server(caches: Caches, queue: str) -> None:
    changed = caches.update(queue, redis_configs={"maxmemory-policy": "noeviction"}, memory_size_gb=2)
    assert changed.state == Instance.State.READY
    with caches.inside.placed(SUBNET):
        memory = caches.connect(queue).info("memory")
    assert memory["maxmemory_policy"] == "noeviction"
    assert memory["maxmemory"] == 2 * 1024**3


@pytest.mark.parametrize(("tier", "kept"), [("STANDARD_HA", b"1"), ("BASIC", None)])
def test_a_killed_server_comes_back_with_its_data_where_there_is_a_replica(
    caches: Caches, tier: str, kept: bytes | None
) -> None:
    name = f"killed-{tier.partition('_')[0].lower()}"
    caches.create(name, tier=Instance.Tier[tier])
    with caches.inside.placed(SUBNET):
        caches.connect(name).set("counted", 1)
    pid = caches.pid(name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: caches.pid(name) not in (None, pid))

    def read() -> Any:
        try:
            return [caches.connect(name).get("counted")]
        except redis.ConnectionError:
            return None

    with caches.inside.placed(SUBNET):
        eventually(lambda: read() is not None)
        assert read() == [kept]
    caches.delete(name)


def test_a_deleted_instance_takes_server_and_address_with_it(caches: Caches) -> None:
    caches.create("gone")
    pid, instance = caches.pid("gone"), caches.get("gone")
    assert pid is not None
    caches.delete("gone")
    assert caches.pid("gone") is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(exceptions.NotFound):
        caches.get("gone")
    with caches.inside.placed(SUBNET), pytest.raises(redis.ConnectionError):
        redis.Redis(instance.host, instance.port, ssl=True, **ONCE).ping()


def test_a_network_without_private_services_access_gets_none(caches: Caches) -> None:
    compute = caches.inside.api("compute")
    body = {"name": "lonely", "autoCreateSubnetworks": False}
    compute.networks().insert(project="ragonometrics-sandbox", body=body).execute()
    with pytest.raises(exceptions.GoogleAPICallError, match="Service Networking connection"):
        caches.create("alone", authorized_network=NETWORK.replace("vpc", "lonely"))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"connect_mode": Instance.ConnectMode.DIRECT_PEERING}, "DIRECT_PEERING"),
        ({"redis_version": "REDIS_6_X"}, "REDIS_6_X"),
        ({"redis_configs": {"activedefrag": "yes"}}, "activedefrag"),
        ({"customer_managed_key": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}, "customer_managed_key"),
        ({"read_replicas_mode": Instance.ReadReplicasMode.READ_REPLICAS_ENABLED}, "read replicas"),
        (
            {"persistence_config": {"persistence_mode": redis_v1.PersistenceConfig.PersistenceMode.RDB}},
            "RDB persistence",
        ),
    ],
)
def test_what_the_sandbox_lacks_is_refused_by_name(caches: Caches, more: dict[str, Any], named: str) -> None:
    with pytest.raises(exceptions.GoogleAPICallError, match=f"{named}.*not supported by the sandbox"):
        caches.create("refused", **more)


def test_what_is_wrong_is_refused(caches: Caches, queue: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="memory size"):
        caches.create("wrong", memory_size_gb=301)
    with pytest.raises(exceptions.BadRequest, match="maxmemory-policy"):
        caches.create("wrong", redis_configs={"maxmemory-policy": "lru"})
    with pytest.raises(exceptions.BadRequest, match="tier"):
        caches.update(queue, tier=Instance.Tier.STANDARD_HA)


def test_other_methods_are_refused_by_name(caches: Caches, queue: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="FailoverInstance is not supported by the sandbox"):
        caches.client.failover_instance(
            name=f"{LOCATION}/instances/{queue}",
            data_protection_mode=redis_v1.FailoverInstanceRequest.DataProtectionMode.LIMITED_DATA_LOSS,
        )
