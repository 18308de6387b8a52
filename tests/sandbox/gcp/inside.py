"""A Google Cloud in the tests' own process: a test may take a place in a network, and what it then reaches takes it for a task."""

import asyncio
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import google.auth
import httplib2
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build

from ragonotebooks.sandbox.authority import Authority
from ragonotebooks.sandbox.callers import Callers
from ragonotebooks.sandbox.context import Context, Place
from ragonotebooks.sandbox.front import Front
from ragonotebooks.sandbox.gateway import Gateway, GrpcHosts
from ragonotebooks.sandbox.gcp import door
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.compute.places import place_in
from ragonotebooks.sandbox.ledger import Ledger
from ragonotebooks.sandbox.local import Local
from ragonotebooks.sandbox.server import create_server
from ragonotebooks.sandbox.state import State, folder_of, root
from ragonotebooks.sandbox.watcher import Watcher
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import PROJECT, environment_of

_TASK = "the test"
_ID = PROJECT.partition("/")[2]


class Inside:
    """The cloud, and the test's place in it.

    Attributes:
        context: The shared parts.
        cloud: Google Cloud.
    """

    def __init__(self, context: Context, cloud: Cloud) -> None:
        self.context = context
        self.cloud = cloud

    def api(self, name: str, version: str = "v1") -> Any:
        """A discovery client. httplib2 reads the environment once a process, so it is told whom to trust."""
        trusting = httplib2.Http(ca_certs=str(self.context.authority.bundle))
        credentials, _ = google.auth.default()
        return build(name, version, http=AuthorizedHttp(credentials, http=trusting), cache_discovery=False)

    def enable(self, *apis: str) -> None:
        """Enable APIs, given by the first label of their hosts."""
        hosts = [f"{api}.googleapis.com" for api in apis]
        self.api("serviceusage").services().batchEnable(parent=PROJECT, body={"serviceIds": hosts}).execute()

    @contextmanager
    def placed(self, subnetwork: str, *tags: str) -> Iterator[Place]:
        """Be a task in a subnet meanwhile."""
        with self.context.lock:
            place = self.context.places[_TASK] = place_in(self.cloud, subnetwork, tags)
        self.context.callers.add(os.getpid(), _TASK)
        try:
            yield place
        finally:
            self.context.callers.remove(os.getpid())
            del self.context.places[_TASK]


@contextmanager
def google_cloud() -> Iterator[Inside]:
    """A Google Cloud with everything that is behind its gateway, in whose environment this process is meanwhile.

    Its REST APIs alone: gRPC reads the trusted certificates once a process, and other tests need it.
    """
    name = f"test-{secrets.token_hex(4)}"
    folder = folder_of(name)
    folder.mkdir(mode=0o711, parents=True)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    watcher = Watcher()
    try:
        state = State(name, os.getpid(), 0, "123456789012", "", "", "ragonometrics-sandbox", "314159265358", "refresh")
        context = Context(state, folder, Authority(folder), Ledger(folder), watcher, Callers(), loop)
        cloud = _serve(context)
        with environment_of(Sandbox(context.state)):
            yield Inside(context, cloud)
    finally:
        watcher.finish()
        loop.call_soon_threadsafe(loop.stop)
        shutil.rmtree(folder)
        if not any(root().iterdir()):
            root().rmdir()


def network_for_services(inside: Inside, network: str, subnet: str) -> None:
    """Make a network with a subnet in us-central1 and private services access."""
    compute = inside.api("compute")
    parent = f"{PROJECT}/global/networks/{network}"
    compute.networks().insert(project=_ID, body={"name": network, "autoCreateSubnetworks": False}).execute()
    inner = {"name": subnet, "network": parent, "ipCidrRange": "10.30.0.0/24"}
    compute.subnetworks().insert(project=_ID, region="us-central1", body=inner).execute()
    reserved = {"name": f"{network}-services", "purpose": "VPC_PEERING", "prefixLength": 20, "network": parent}
    compute.globalAddresses().insert(project=_ID, body=reserved).execute()
    connection = {"network": parent, "reservedPeeringRanges": [reserved["name"]]}
    connections = inside.api("servicenetworking").services().connections()
    connections.create(parent="services/servicenetworking.googleapis.com", body=connection).execute()


def _serve(context: Context) -> Cloud:
    local = Local(context)
    front = Front(local)
    google = door.Door(context, local)
    front.play(door.HOSTS, google)
    socket = context.folder / "http.sock"
    grpc = GrpcHosts(door.HOSTS, google.grpc_socket)
    gateway = Gateway(context.authority, socket, front.plays, lambda *_: None, front.player, grpc)
    context.state = replace(context.state, port=context.run(gateway.listen()))
    server = create_server(front, unix_socket=str(socket), unix_socket_perms="600", threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    door.write_credentials(context)
    return google.open().cloud
