"""ElastiCache in the sandbox: a real server that comes, stays and goes as the API says, and that only its VPC reaches."""

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from botocore.exceptions import ClientError

from ragonotebooks.sandbox.front import OPERATOR_ADDRESS
from ragonotebooks.sandbox.status import Server, ask
from tests.sandbox.conftest import Sandbox, eventually
from tests.sandbox.tasks import Deployment, deploy, push

TOKEN = "a-token-for-the-tests"
NEW_TOKEN = "another-token-for-the-tests"
GROUP = {"Engine": "valkey", "CacheNodeType": "cache.t4g.micro", "ReplicationGroupDescription": "for a test"}
COMMANDS = """
import sys, redis
from redis.backoff import NoBackoff
from redis.retry import Retry
client = redis.Redis.from_url(sys.argv[1], socket_timeout=5, decode_responses=True, retry=Retry(NoBackoff(), 0))
for command in sys.argv[2:]:
    try:
        answer = client.execute_command(*command.split())
        print(answer.get('maxmemory_policy', answer) if isinstance(answer, dict) else answer)
    except redis.RedisError as error:
        print(type(error).__name__, error)
"""


@dataclass
class Network:
    """A network with a subnet group for caches, and tasks that have the client's library.

    Attributes:
        inside: The security group that caches admit.
        outside: One that they do not.
        group: The caches' own.
    """

    tasks: Deployment
    image: str
    inside: str
    outside: str
    group: str

    def client(self, service: str) -> Any:
        return self.tasks.client(service)

    def create(self, name: str, **more: Any) -> dict[str, Any]:
        """Make a replication group with TLS and a token, wait until it is available, and return its description."""
        settings: dict[str, Any] = {"TransitEncryptionEnabled": True, "AuthToken": TOKEN, **GROUP, **more}
        self.client("elasticache").create_replication_group(
            ReplicationGroupId=name, CacheSubnetGroupName="tests", SecurityGroupIds=[self.group], **settings
        )
        self.client("elasticache").get_waiter("replication_group_available").wait(ReplicationGroupId=name)
        return self.described(name)

    def described(self, name: str) -> dict[str, Any]:
        answer = self.client("elasticache").describe_replication_groups(ReplicationGroupId=name)
        group: dict[str, Any] = answer["ReplicationGroups"][0]
        return group

    def said(self, group: dict[str, Any], *commands: str, token: str = TOKEN, **more: str) -> list[str]:
        """What a task hears that gives these commands; it has the security group `inside` unless told otherwise."""
        address, port = endpoint(group)
        scheme, source = more.get("scheme", "rediss"), more.get("source", self.inside)
        url = f"{scheme}://:{token}@{address}:{port}" if token else f"{scheme}://{address}:{port}"
        definition = self.tasks.define(COMMANDS, url, *commands, image=self.image)
        arn = self.tasks.start(definition, {"securityGroups": [source]})
        self.tasks.finished(arn)
        return self.tasks.log(arn)


@pytest.fixture(scope="module")
def network(sandbox: Sandbox) -> Network:
    tasks = deploy(sandbox, "caches")
    ec2 = sandbox.client("ec2")
    named = ("cache-clients", "cache-strangers", "cache-servers")
    groups = [
        ec2.create_security_group(GroupName=name, Description="for a test", VpcId=tasks.vpc)["GroupId"]
        for name in named
    ]
    inside, outside, caches = groups
    anybody = [{"CidrIp": f"{OPERATOR_ADDRESS}/32"}]
    pairs = [{"GroupId": inside}]
    rule = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "UserIdGroupPairs": pairs, "IpRanges": anybody}
    ec2.authorize_security_group_ingress(GroupId=caches, IpPermissions=[rule])
    sandbox.client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName="tests", CacheSubnetGroupDescription="for a test", SubnetIds=[tasks.subnet]
    )
    library = Path(redis.__file__).parent
    files = {f"redis/{path.relative_to(library)}": path.read_bytes() for path in library.rglob("*.py")}
    push(sandbox, "caches", files, "redis")
    return Network(tasks, f"{tasks.image.rpartition(':')[0]}:redis", inside, outside, caches)


@pytest.fixture(scope="module")
def cache(network: Network) -> dict[str, Any]:
    """A replication group that the tests here share."""
    return network.create("shared")


def endpoint(group: dict[str, Any]) -> tuple[str, int]:
    primary = group["NodeGroups"][0]["PrimaryEndpoint"]
    return primary["Address"], primary["Port"]


def first_byte(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, timeout=60) as connection:
        return connection.recv(1)


def server(sandbox: Sandbox, name: str) -> Server:
    return next(one for one in ask(sandbox.state).servers if one.service == "elasticache" and one.id == name)


def kill(sandbox: Sandbox, name: str) -> None:
    """Kill a cache's process and wait until another has taken its place."""
    before = server(sandbox, name).pid
    assert before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: server(sandbox, name).pid not in (None, before))


def test_a_task_that_the_security_group_admits_talks_over_tls_with_the_token(
    network: Network, cache: dict[str, Any]
) -> None:
    assert network.said(cache, "SET paper lemons", "GET paper") == ["True", "lemons"]
    assert cache["AuthTokenEnabled"]
    assert cache["TransitEncryptionEnabled"]


@pytest.mark.parametrize(
    ("token", "answer"),
    [
        pytest.param("a-token-that-is-wrong", "AuthenticationError invalid username-password pair", id="a wrong one"),
        pytest.param("", "AuthenticationError HELLO must be called with the client already authenticated", id="none"),
    ],
)
def test_without_the_token_nothing_is_answered(
    network: Network, cache: dict[str, Any], token: str, answer: str
) -> None:
    [line] = network.said(cache, "GET paper", token=token)
    assert line.startswith(answer)


def test_a_task_in_another_group_is_refused_at_once(network: Network, cache: dict[str, Any]) -> None:
    [line] = network.said(cache, "PING", source=network.outside)
    assert line.startswith("ConnectionError")


def test_this_machine_is_refused_whatever_the_security_group_says(cache: dict[str, Any]) -> None:
    with pytest.raises(ConnectionResetError):
        first_byte(endpoint(cache))


def test_clear_text_is_refused(network: Network, cache: dict[str, Any]) -> None:
    [line] = network.said(cache, "PING", scheme="redis")
    assert line.startswith("ConnectionError")


def test_commands_that_are_the_service_s_own_are_refused(network: Network, cache: dict[str, Any]) -> None:
    lines = network.said(cache, "CONFIG GET dir", "ACL SETUSER default nopass", "SHUTDOWN NOSAVE", "PING")
    assert [line.partition(" ")[0] for line in lines] == [*["NoPermissionError"] * 3, "True"]


def test_a_killed_server_comes_back_empty(sandbox: Sandbox, network: Network) -> None:
    group = network.create("alone")
    network.said(group, "SET paper lemons")
    kill(sandbox, "alone")
    assert network.said(group, "GET paper", "PING") == ["None", "True"]


def test_where_a_replica_would_be_promoted_the_data_is_kept(sandbox: Sandbox, network: Network) -> None:
    group = network.create("two-nodes", NumCacheClusters=2, AutomaticFailoverEnabled=True, MultiAZEnabled=True)
    network.said(group, "SET paper lemons")
    kill(sandbox, "two-nodes")
    assert network.said(group, "GET paper") == ["lemons"]
    assert group["MemberClusters"] == ["two-nodes-001", "two-nodes-002"]


def test_a_token_is_rotated_without_a_moment_in_which_none_holds(sandbox: Sandbox, network: Network) -> None:
    group = network.create("rotated")

    def change(strategy: str) -> None:
        network.client("elasticache").modify_replication_group(
            ReplicationGroupId="rotated",
            AuthToken=NEW_TOKEN,
            AuthTokenUpdateStrategy=strategy,
            ApplyImmediately=True,
        )

    change("ROTATE")
    assert network.said(group, "PING", token=TOKEN) == ["True"]
    assert network.said(group, "PING", token=NEW_TOKEN) == ["True"]
    change("SET")
    assert network.said(group, "PING", token=TOKEN)[0].startswith("AuthenticationError")
    kill(sandbox, "rotated")
    assert network.said(group, "PING", token=NEW_TOKEN) == ["True"]


def test_a_parameter_group_reaches_the_server(network: Network) -> None:
    api = network.client("elasticache")
    api.create_cache_parameter_group(
        CacheParameterGroupName="queues", CacheParameterGroupFamily="valkey8", Description="for queues"
    )

    def change(value: str) -> None:
        given = [{"ParameterName": "maxmemory-policy", "ParameterValue": value}]
        api.modify_cache_parameter_group(CacheParameterGroupName="queues", ParameterNameValues=given)

    change("noeviction")
    group = network.create("with-parameters", CacheParameterGroupName="queues")
    assert network.said(group, "INFO memory") == ["noeviction"]
    change("allkeys-lru")
    assert network.said(group, "INFO memory") == ["allkeys-lru"]
    [changed] = api.describe_cache_parameters(CacheParameterGroupName="queues", Source="user")["Parameters"]
    assert (changed["ParameterName"], changed["ParameterValue"]) == ("maxmemory-policy", "allkeys-lru")
    with pytest.raises(ClientError, match="in use"):
        api.delete_cache_parameter_group(CacheParameterGroupName="queues")
    with pytest.raises(ClientError, match="allowed is volatile-lru"):
        change("sometimes")


def test_a_deleted_group_leaves_nothing(sandbox: Sandbox, network: Network) -> None:
    group, api, ec2 = network.create("short-lived"), network.client("elasticache"), network.client("ec2")
    behind = server(sandbox, "short-lived")
    assert behind.log
    process, folder = Path(f"/proc/{behind.pid}"), Path(behind.log).parent
    filters = [{"Name": "description", "Values": ["ElastiCache short-lived"]}]
    assert process.exists()
    assert ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    api.delete_replication_group(ReplicationGroupId="short-lived")
    api.get_waiter("replication_group_deleted").wait(ReplicationGroupId="short-lived")
    assert not process.exists()
    assert not folder.exists()
    assert not ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(endpoint(group), timeout=60)
    with pytest.raises(ClientError, match="CacheClusterNotFound"):
        api.describe_cache_clusters(CacheClusterId="short-lived-001")


def test_members_show_the_security_groups_and_tags_stay_with_the_group(network: Network) -> None:
    api = network.client("elasticache")
    group = network.create("tagged", Tags=[{"Key": "deployment", "Value": "tests"}])
    [member] = api.describe_cache_clusters(CacheClusterId="tagged-001", ShowCacheNodeInfo=True)["CacheClusters"]
    assert [one["SecurityGroupId"] for one in member["SecurityGroups"]] == [network.group]
    assert (member["CacheNodes"][0]["Endpoint"]["Address"], 6379) == endpoint(group)
    assert "tagged-001" not in [
        one["CacheClusterId"]
        for one in api.describe_cache_clusters(ShowCacheClustersNotInReplicationGroups=True)["CacheClusters"]
    ]
    tags = api.list_tags_for_resource(ResourceName=group["ARN"])["TagList"]
    assert tags == [{"Key": "deployment", "Value": "tests"}]


def test_other_security_groups_hold_at_the_next_connection(network: Network) -> None:
    group = network.create("moved")
    network.client("elasticache").modify_replication_group(
        ReplicationGroupId="moved", SecurityGroupIds=[network.outside], ApplyImmediately=True
    )
    assert network.said(group, "PING")[0].startswith("ConnectionError")


def test_a_cache_cluster_of_redis_is_one_node_in_clear_text(network: Network) -> None:
    api = network.client("elasticache")
    api.create_cache_cluster(
        CacheClusterId="single",
        Engine="redis",
        EngineVersion="7.1",
        CacheNodeType="cache.t4g.micro",
        NumCacheNodes=1,
        CacheSubnetGroupName="tests",
        SecurityGroupIds=[network.group],
    )
    api.get_waiter("cache_cluster_available").wait(CacheClusterId="single")
    [single] = api.describe_cache_clusters(CacheClusterId="single", ShowCacheNodeInfo=True)["CacheClusters"]
    described = {"NodeGroups": [{"PrimaryEndpoint": single["CacheNodes"][0]["Endpoint"]}]}
    assert network.said(described, "PING", token="", scheme="redis") == ["True"]
    api.delete_cache_cluster(CacheClusterId="single")
    api.get_waiter("cache_cluster_deleted").wait(CacheClusterId="single")


def test_a_subnet_group_in_use_stays(network: Network, cache: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="CacheSubnetGroupInUse"):
        network.client("elasticache").delete_cache_subnet_group(CacheSubnetGroupName="tests")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"Engine": "memcached"}, "engine memcached is not supported", id="memcached"),
        pytest.param({"EngineVersion": "6.2"}, "Cannot find version 6.2 for valkey", id="an old version"),
        pytest.param({"CacheNodeType": ""}, "CacheNodeType must be provided", id="no node type"),
        pytest.param({"NumNodeGroups": 2}, "cluster mode enabled is not supported", id="cluster mode"),
        pytest.param({"SnapshotName": "yesterday"}, "SnapshotName is not supported", id="a snapshot"),
        pytest.param({"UserGroupIds": ["people"]}, "UserGroupIds is not supported", id="users"),
        pytest.param({"TransitEncryptionEnabled": False}, "set TransitEncryptionEnabled", id="a token in clear text"),
        pytest.param({"AuthToken": "short"}, "16 to 128", id="a short token"),
        pytest.param({"AutomaticFailoverEnabled": True}, "at least 2 cache clusters", id="failover without a replica"),
        pytest.param({"CacheParameterGroupName": "default.redis7"}, "family valkey8", id="another engine's parameters"),
    ],
)
def test_what_cannot_be_is_refused_by_name(network: Network, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError, match=named):
        network.create("refused", **settings)
    with pytest.raises(ClientError, match="ReplicationGroupNotFoundFault"):
        network.described("refused")


def test_serverless_caches_and_snapshots_are_refused_by_name(network: Network, cache: dict[str, Any]) -> None:
    api = network.client("elasticache")
    with pytest.raises(ClientError, match="elasticache:CreateServerlessCache is not supported"):
        api.create_serverless_cache(ServerlessCacheName="none", Engine="valkey")
    with pytest.raises(ClientError, match="elasticache:CreateSnapshot is not supported"):
        api.create_snapshot(SnapshotName="none", ReplicationGroupId="shared")
