"""A whole deployment in moto, in this process: one resource of every kind that a cleanup knows."""

import json
from collections.abc import Iterator
from functools import cache

import boto3
import pytest
from moto import mock_aws
from moto.core.responses import PaginatedResult
from moto.elasticache.responses import ElastiCacheResponse

from ragonotebooks.cleanup.kind import Clients

_SERVICE = {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"}
_TRUST = json.dumps({"Version": "2012-10-17", "Statement": [_SERVICE]})
_SESSION = boto3.Session(region_name="us-east-1")  # one for all: each loads the service models anew
_ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """The clients of an empty account."""
    monkeypatch.setenv("MOTO_ALLOW_NONEXISTENT_REGION", "false")
    # moto lacks parameter groups of caches: there are none
    none = PaginatedResult({"CacheParameterGroups": []})
    monkeypatch.setattr(ElastiCacheResponse, "describe_cache_parameter_groups", lambda self: none, raising=False)
    with mock_aws():
        yield cache(lambda service: NoAnalyzers() if service == "accessanalyzer" else _SESSION.client(service))


class NoAnalyzers:
    """The client of Access Analyzer, which moto lacks, in an account without any analyzer."""

    def can_paginate(self, operation: str) -> bool:
        return False

    def list_analyzers(self) -> dict[str, list[str]]:
        return {"analyzers": []}


class Deployment:
    """Makes resources that carry some tags.

    Args:
        clients: Where.
        name: Prefix of every name.
        tags: What each of them carries.
    """

    def __init__(self, clients: Clients, name: str, tags: dict[str, str]) -> None:
        self._clients = clients
        self.name = name
        self.tags = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.small_tags = [{"key": key, "value": value} for key, value in tags.items()]
        self.labels = tags

    def everything(self) -> None:
        """One resource of each kind, wired as a real deployment is."""
        self.bucket()
        self.access()
        self.compute()
        subnets = self.network()
        self.database(subnets)
        self.services(subnets)
        self.watched()
        self.delivery()

    def bucket(self) -> None:
        """A versioned bucket with an overwritten object, a deleted one and an unfinished upload."""
        s3 = self._clients("s3")
        s3.create_bucket(Bucket=self.name)
        s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"one", b"two"):
            s3.put_object(Bucket=self.name, Key="paper", Body=body)
        s3.delete_object(Bucket=self.name, Key="paper")
        s3.create_multipart_upload(Bucket=self.name, Key="large")
        if self.tags:
            s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": self.tags})

    def access(self) -> None:
        """A secret, a parameter, a key with an alias, a role with both sorts of policy and an instance profile."""
        self._clients("secretsmanager").create_secret(Name=self.name, SecretString="s", Tags=self.tags)
        self._clients("ssm").put_parameter(Name=self.name, Value="v", Type="String", Tags=self.tags)
        kms, iam = self._clients("kms"), self._clients("iam")
        key_tags = [{"TagKey": key, "TagValue": value} for key, value in self.labels.items()]
        key = kms.create_key(Tags=key_tags)["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{self.name}", TargetKeyId=key)
        policy = iam.create_policy(PolicyName=self.name, PolicyDocument=json.dumps(_ALLOW), Tags=self.tags)
        arn = policy["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(_ALLOW), SetAsDefault=True)
        iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=_TRUST, Tags=self.tags)
        iam.attach_role_policy(RoleName=self.name, PolicyArn=arn)
        iam.put_role_policy(RoleName=self.name, PolicyName="inline", PolicyDocument=json.dumps(_ALLOW))
        iam.create_instance_profile(InstanceProfileName=self.name, Tags=self.tags)
        iam.add_role_to_instance_profile(InstanceProfileName=self.name, RoleName=self.name)

    def compute(self) -> None:
        """A cluster, a task definition with two revisions, a repository and a log group."""
        ecs = self._clients("ecs")
        ecs.create_cluster(clusterName=self.name, tags=self.small_tags)
        for memory in ("512", "1024"):
            ecs.register_task_definition(
                family=self.name,
                containerDefinitions=[{"name": "main", "image": "image", "memory": 512}],
                requiresCompatibilities=["FARGATE"],
                networkMode="awsvpc",
                cpu="256",
                memory=memory,
                executionRoleArn=f"arn:aws:iam::123456789012:role/{self.name}",
                tags=self.small_tags,
            )
        self._clients("ecr").create_repository(repositoryName=self.name, tags=self.tags)
        self._clients("logs").create_log_group(logGroupName=f"/{self.name}", tags=self.labels)

    def network(self) -> list[str]:
        """A VPC with everything in it; return its subnets' ids."""
        ec2 = self._clients("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=self._marked("vpc"))["Vpc"]["VpcId"]
        subnets = [self._subnet(vpc, number) for number in (0, 1)]
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=self._marked("route-table"))["RouteTable"]
        ec2.associate_route_table(RouteTableId=table["RouteTableId"], SubnetId=subnets[0])
        gateway = ec2.create_internet_gateway(TagSpecifications=self._marked("internet-gateway"))["InternetGateway"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=self._marked("elastic-ip"))["AllocationId"]
        ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address, TagSpecifications=self._marked("natgateway"))
        ec2.create_vpc_endpoint(
            VpcId=vpc,
            VpcEndpointType="Gateway",
            ServiceName="com.amazonaws.us-east-1.s3",
            RouteTableIds=[table["RouteTableId"]],
            TagSpecifications=self._marked("vpc-endpoint"),
        )
        self.groups(vpc)
        return subnets

    def groups(self, vpc: str) -> list[str]:
        """Two security groups that name each other in their rules; return their ids."""
        ec2 = self._clients("ec2")
        first, second = (
            ec2.create_security_group(
                GroupName=f"{self.name}-{part}",
                Description=part,
                VpcId=vpc,
                TagSpecifications=self._marked("security-group"),
            )["GroupId"]
            for part in ("database", "task")
        )
        for group, other in ((first, second), (second, first)):
            rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": other}]}
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        return [first, second]

    def database(self, subnets: list[str]) -> None:
        """An instance with a manual snapshot."""
        rds = self._clients("rds")
        rds.create_db_subnet_group(
            DBSubnetGroupName=self.name, DBSubnetGroupDescription="for the test", SubnetIds=subnets, Tags=self.tags
        )
        rds.create_db_instance(
            DBInstanceIdentifier=self.name,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="ragonometrics",
            MasterUserPassword="not-a-secret",
            DBSubnetGroupName=self.name,
            Tags=self.tags,
        )
        rds.create_db_snapshot(DBInstanceIdentifier=self.name, DBSnapshotIdentifier=f"{self.name}-1", Tags=self.tags)

    def services(self, subnets: list[str]) -> None:
        """A service behind a load balancer, with a name in a namespace."""
        ecs, balancing, discovery = (self._clients(name) for name in ("ecs", "elbv2", "servicediscovery"))
        balancer = balancing.create_load_balancer(Name=self.name, Subnets=subnets, **self._tagged())["LoadBalancers"][0]
        arn = balancer["LoadBalancerArn"]
        group = balancing.create_target_group(
            Name=self.name, Protocol="HTTP", Port=8000, VpcId=balancer["VpcId"], TargetType="ip", **self._tagged()
        )["TargetGroups"][0]["TargetGroupArn"]
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        balancing.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
        ecs.create_service(
            cluster=self.name, serviceName=self.name, taskDefinition=self.name, desiredCount=2, tags=self.small_tags
        )
        discovery.create_private_dns_namespace(Name=self.name, Vpc=balancer["VpcId"], Tags=self.tags)
        found = discovery.list_namespaces()["Namespaces"]
        [namespace] = [space["Id"] for space in found if space["Name"] == self.name]
        made = discovery.create_service(Name=self.name, NamespaceId=namespace, Tags=self.tags)["Service"]["Id"]
        discovery.register_instance(ServiceId=made, InstanceId="one", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.9"})

    def protect(self) -> None:
        """Turn deletion protection on: the database's and the load balancer's."""
        self._clients("rds").modify_db_instance(DBInstanceIdentifier=self.name, DeletionProtection=True)
        balancing = self._clients("elbv2")
        [balancer] = balancing.describe_load_balancers(Names=[self.name])["LoadBalancers"]
        on = [{"Key": "deletion_protection.enabled", "Value": "true"}]
        balancing.modify_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"], Attributes=on)

    def watched(self) -> None:
        """A queue, a topic, a rule with a target, an alarm, a trail and a flow log."""
        queue = self._clients("sqs").create_queue(QueueName=self.name, tags=self.labels)["QueueUrl"]
        attributes = self._clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        self._clients("sns").create_topic(Name=self.name, Tags=self.tags)
        events = self._clients("events")
        events.put_rule(Name=self.name, ScheduleExpression="rate(1 hour)", Tags=self.tags)
        events.put_targets(Rule=self.name, Targets=[{"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}])
        self._clients("cloudwatch").put_metric_alarm(
            AlarmName=self.name,
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="Errors",
            Namespace="Test",
            Period=60,
            Statistic="Sum",
            Threshold=1,
            Tags=self.tags,
        )
        self._clients("cloudtrail").create_trail(Name=self.name, S3BucketName=self.name, TagsList=self.tags)
        ec2 = self._clients("ec2")
        ec2.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[ec2.describe_vpcs()["Vpcs"][-1]["VpcId"]],
            TrafficType="ALL",
            LogGroupName=f"/{self.name}",
            DeliverLogsPermissionArn=f"arn:aws:iam::123456789012:role/{self.name}",
            TagSpecifications=self._marked("vpc-flow-log"),
        )

    def delivery(self) -> None:
        """A build project, a pipeline and the identity provider of a foreign CI."""
        role = f"arn:aws:iam::123456789012:role/{self.name}"
        self._clients("codebuild").create_project(
            name=self.name,
            source={"type": "S3", "location": f"{self.name}/source.zip"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=role,
            tags=self.small_tags,
        )
        kinds = {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}
        stages = [{"name": name, "actions": [{"name": name, "actionTypeId": kinds}]} for name in ("Source", "Build")]
        store = {"type": "S3", "location": self.name}
        pipeline = {"name": self.name, "roleArn": role, "artifactStore": store, "stages": stages, "version": 1}
        self._clients("codepipeline").create_pipeline(pipeline=pipeline, tags=self.small_tags)
        self._clients("iam").create_open_id_connect_provider(
            Url=f"https://{self.name}.example.com", ClientIDList=["sts.amazonaws.com"], Tags=self.tags
        )

    def _tagged(self) -> dict[str, list[dict[str, str]]]:
        return {"Tags": self.tags} if self.tags else {}

    def _subnet(self, vpc: str, number: int) -> str:
        subnet = self._clients("ec2").create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"us-east-1{'ab'[number]}",
            TagSpecifications=self._marked("subnet"),
        )
        return str(subnet["Subnet"]["SubnetId"])

    def _marked(self, kind: str) -> list[dict[str, object]]:
        return [{"ResourceType": kind, "Tags": self.tags}] if self.tags else []
