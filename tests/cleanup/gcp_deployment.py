"""A deployment on Google Cloud, made over REST: one resource of every kind that the sandbox plays."""

from dataclasses import dataclass, field
from typing import Any

from ragonotebooks.cleanup.kind import Account
from tests.sandbox.gcp.images import push

PROJECT = "ragonometrics-sandbox"
REGION = "us-central1"
APIS = (
    *("artifactregistry", "cloudbuild", "cloudresourcemanager", "compute", "iam", "logging", "monitoring", "pubsub"),
    *("redis", "run"),
    *("secretmanager", "servicenetworking", "sqladmin", "storage"),
)
HERE = f"v1/{{project}}/locations/{REGION}"


def enable(account: Account) -> None:
    """Enable the APIs that a deployment uses; over REST, since a process speaks gRPC with one sandbox only."""
    services = [f"{api}.googleapis.com" for api in APIS]
    account.clients("serviceusage").start("POST", "v1/{project}/services:batchEnable", {"serviceIds": services})


@dataclass
class Deployment:
    """Makes resources that carry some labels.

    Attributes:
        account: Where.
        name: Prefix of every name.
        labels: What each of them carries.
        net: The second byte of its addresses.
    """

    account: Account
    name: str
    labels: dict[str, str]
    net: int = 20
    description: str = field(init=False)

    def __post_init__(self) -> None:
        self.description = ", ".join(f"{key}={value}" for key, value in self.labels.items())

    @property
    def email(self) -> str:
        """Its service account."""
        return f"{self.name}-job@{PROJECT}.iam.gserviceaccount.com"

    def make(self, service: str, path: str, body: Any) -> None:
        """Make a resource, and wait until it is there."""
        self.account.clients(service).start("POST", path, body)

    def everything(self) -> None:
        """One resource of each kind, wired as a real deployment is."""
        self.bucket()
        self.access()
        self.network()
        self.private_services()
        self.data()
        self.running()
        self.watched()
        self.delivery()

    def bucket(self) -> None:
        """A versioned bucket with an overwritten object, whose name is a path, and a deleted one."""
        body = {"name": f"{self.name}-artifacts", "labels": self.labels, "versioning": {"enabled": True}}
        storage = self.account.clients("storage")
        storage.call("POST", "storage/v1/b", body, project=PROJECT)
        for text in ("one", "two"):
            upload = {"uploadType": "media", "name": "corpus/a paper.txt"}
            storage.call("POST", f"upload/storage/v1/b/{self.name}-artifacts/o", text, **upload)
        storage.call("DELETE", f"storage/v1/b/{self.name}-artifacts/o/corpus%2Fa%20paper.txt")

    def access(self) -> None:
        """A secret, a service account that may do something on the project, and a role."""
        secret = {"labels": self.labels, "replication": {"automatic": {}}}
        self.make("secretmanager", f"v1/{{project}}/secrets?secretId={self.name}", secret)
        account = {"accountId": f"{self.name}-job", "serviceAccount": {"description": self.description}}
        self.make("iam", "v1/{project}/serviceAccounts", account)
        role = {"description": self.description, "includedPermissions": ["storage.objects.get"]}
        self.make("iam", "v1/{project}/roles", {"roleId": self.name.replace("-", "_"), "role": role})
        self.bind("roles/logging.viewer", self.email)

    def bind(self, role: str, email: str) -> None:
        """Let a service account do something on the project."""
        projects = self.account.clients("cloudresourcemanager")
        policy = projects.call("POST", "v3/{project}:getIamPolicy", {})
        policy["bindings"].append({"role": role, "members": [f"serviceAccount:{email}"]})
        projects.call("POST", "v3/{project}:setIamPolicy", {"policy": policy})

    def network(self) -> None:
        """A network with a subnet, a rule, a router and an address."""
        told = {"description": self.description}
        self._compute("global/networks", {"name": self.name, "autoCreateSubnetworks": False, **told})
        inside = {"network": f"global/networks/{self.name}", **told}
        cidr = f"10.{self.net}.1.0/24"
        self._compute(f"regions/{REGION}/subnetworks", {"name": f"{self.name}-a", "ipCidrRange": cidr, **inside})
        allowed = [{"IPProtocol": "tcp", "ports": ["22"]}]
        self._compute("global/firewalls", {"name": f"{self.name}-rule", "allowed": allowed, **inside})
        self._compute(f"regions/{REGION}/routers", {"name": f"{self.name}-router", **inside})
        self._compute(f"regions/{REGION}/addresses", {"name": f"{self.name}-ip", **told})

    def private_services(self) -> None:
        """A range of the network for Google's services, and the connection to them."""
        address = {"name": f"{self.name}-range", "description": self.description, "purpose": "VPC_PEERING"}
        place = {"network": f"global/networks/{self.name}", "addressType": "INTERNAL", "prefixLength": 20}
        self._compute("global/addresses", {**address, **place, "address": f"10.{self.net + 100}.0.0"})
        body = {"network": self._network, "reservedPeeringRanges": [f"{self.name}-range"]}
        self.make("servicenetworking", "v1/services/servicenetworking.googleapis.com/connections", body)

    def data(self) -> None:
        """A database and a cache, with addresses in the range."""
        self.database()
        cache = {"tier": "BASIC", "memorySizeGb": 1, "labels": self.labels, "authorizedNetwork": self._network}
        cache["connectMode"] = "PRIVATE_SERVICE_ACCESS"
        self.make("redis", f"{HERE}/instances?instanceId={self.name}-queue", cache)

    def database(self, **settings: Any) -> None:
        """A database."""
        addresses = {"ipv4Enabled": False, "privateNetwork": self._network}
        size = {"tier": "db-f1-micro", "edition": "ENTERPRISE", "userLabels": self.labels}
        body = {"name": f"{self.name}-db", "region": REGION, "databaseVersion": "POSTGRES_18"}
        body["settings"] = {**size, "ipConfiguration": addresses, **settings}
        self.make("sqladmin", "v1/{project}/instances", body)

    def running(self) -> None:
        """A repository with an image, a service, a worker pool and a job."""
        there = HERE.replace("v1", "v2")
        repository = {"format": "DOCKER", "labels": self.labels}
        self.make("artifactregistry", f"{HERE}/repositories?repositoryId={self.name}", repository)
        image = push(self.name, "python", {"job.py": b"print('done')\n"})
        template = {"containers": [{"image": image}], "serviceAccount": self.email}
        server = {"containers": [{"image": image, "args": ["-m", "http.server", "8080"]}], "serviceAccount": self.email}
        service = {"labels": self.labels, "template": server}
        self.make("run", f"{there}/services?serviceId={self.name}-api", service)
        pool = {"labels": self.labels, "template": template, "scaling": {"manualInstanceCount": 0}}
        self.make("run", f"{there}/workerPools?workerPoolId={self.name}-worker", pool)
        job = {"labels": self.labels, "template": {"template": template}}
        self.make("run", f"{there}/jobs?jobId={self.name}-index", job)

    def watched(self) -> None:
        """A sink and a metric of the log, an alert policy with a channel and who listens, an uptime check, a dashboard."""
        sink = {"name": f"{self.name}-audit", "description": self.description, "filter": "severity>=ERROR"}
        sink["destination"] = f"storage.googleapis.com/{self.name}-artifacts"
        self.make("logging", "v2/{project}/sinks", sink)
        metric = {"name": f"{self.name}/errors", "description": self.description, "filter": "severity>=ERROR"}
        self.make("logging", "v2/{project}/metrics", metric)
        named = {"displayName": self.name, "userLabels": self.labels}
        monitoring = self.account.clients("monitoring")
        pubsub, topic = self.account.clients("pubsub"), f"projects/{PROJECT}/topics/{self.name}-alerts"
        pubsub.call("PUT", f"v1/{topic}", {"labels": self.labels})
        inbox = {"topic": topic, "labels": self.labels}
        pubsub.call("PUT", f"v1/projects/{PROJECT}/subscriptions/{self.name}-alerts", inbox)
        channel = {"type": "pubsub", "labels": {"topic": topic}, **named}
        channel = monitoring.call("POST", "v3/{project}/notificationChannels", channel)
        series = 'metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision"'
        condition = {"filter": series, "comparison": "COMPARISON_GT", "thresholdValue": 1, "duration": "60s"}
        conditions = [{"displayName": "many", "conditionThreshold": condition}]
        policy = {"combiner": "OR", "conditions": conditions, "notificationChannels": [channel["name"]], **named}
        monitoring.call("POST", "v3/{project}/alertPolicies", policy)
        host = {"type": "uptime_url", "labels": {"host": "example.com", "project_id": PROJECT}}
        check = {"monitoredResource": host, "httpCheck": {"path": "/"}, "period": "60s", **named}
        monitoring.call("POST", "v3/{project}/uptimeCheckConfigs", check)
        dashboard = {"displayName": self.name, "labels": self.labels, "mosaicLayout": {"columns": 12, "tiles": []}}
        monitoring.call("POST", "v1/{project}/dashboards", dashboard)

    def delivery(self) -> None:
        """A topic, a trigger that listens there, and a pool of identities that may come from elsewhere."""
        pubsub, topic = self.account.clients("pubsub"), f"projects/{PROJECT}/topics/{self.name}-commits"
        pubsub.call("PUT", f"v1/{topic}", {"labels": self.labels})
        image = f"{REGION}-docker.pkg.dev/{PROJECT}/{self.name}/python:1"
        build = {"steps": [{"name": image}], "options": {"logging": "CLOUD_LOGGING_ONLY"}}
        trigger = {"name": f"{self.name}-commit", "description": self.description, "build": build}
        trigger["serviceAccount"] = f"projects/{PROJECT}/serviceAccounts/{self.email}"
        cloudbuild = self.account.clients("cloudbuild")
        cloudbuild.call("POST", f"{HERE}/triggers", {**trigger, "pubsubConfig": {"topic": topic}}, projectId=PROJECT)
        pools = "v1/{project}/locations/global/workloadIdentityPools"
        self.make("iam", f"{pools}?workloadIdentityPoolId={self.name}-github", {"description": self.description})

    @property
    def _network(self) -> str:
        return f"projects/{PROJECT}/global/networks/{self.name}"

    def _compute(self, collection: str, body: Any) -> None:
        self.make("compute", f"compute/v1/{{project}}/{collection}", body)
