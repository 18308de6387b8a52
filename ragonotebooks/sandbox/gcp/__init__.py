"""Google Cloud: one generic engine for resource-oriented APIs, and one small module a service for what is special.

How a call goes
    `door.py` loads all this when a host of Google's is first called. A gRPC call arrives in `grpc_front.py`, a REST request in
    `http_front.py` and `transcoding.py`; both end in `engine.answer`: who calls (`identity.py`), what it is about (`rules.py`),
    is the API enabled and does a policy allow it (`access.py`, `policies.py`, `roles.py`), is what is required there; then a
    handler of the service, or the standard method (`generic.py`). Every call is in the ledger. All of it happens under
    `context.lock`; a handler that must wait calls `call.cloud.context.wait_until`.

How to add a service
    1. A line in `services/__init__.py`: host to module in `MODULES`, proto package to host in `PACKAGES`; a title in
       `services/service_usage.py` when it can be enabled.
    2. `services/<name>.py` with one subclass of `service.Service`::

        class CloudRun(Service):
            host = "run.googleapis.com"
            title = "Cloud Run Admin API"
            clients = ("google.cloud.run_v2:ServicesClient", "google.cloud.run_v2:JobsClient")
            keeps = frozenset(("Service", "Job"))                    # the generic engine keeps these kinds
            permissions = {"RunJob": "run.jobs.run"}                 # where the name does not follow from the rule

            @creating("Service")
            def _defaults(self, call, resource): ...                 # raise errors.ApiError to refuse

            @created("Service")
            def _start(self, call, resource):                        # the long-running operation ends when the work does
                return lambda: self._wait_for(resource.name)

            @rpc("RunJob")
            def _run(self, call): return execution, work             # a method of its own; work may be None

    A kind is the short name of a protobuf message. Standard methods (get, list with filters, order and pages, create, update
    with field masks, delete; etags, `validate_only`, `allow_missing`) on a kind in `keeps` need no code. **Any other method is
    refused as UNIMPLEMENTED and named**, until an `@rpc` handler answers it; `refuses` takes standard methods out again.
    Hooks: `creating`, `created`, `updating`, `updated`, `deleting`, `showing` (see `service.py` for their arguments). `call` has
    `cloud`, `message` (a plain protobuf message, not proto-plus: `type_` for `type`), `path` (the resource or collection),
    `caller`. Resources in `cloud.store` are the live ones: change them under the lock, hand out `fields.copy_of` them, and
    call `context.changed.notify_all()` when somebody may wait for the change.
    Work runs on a thread of its own without the lock; an ApiError that it raises fails the operation. A poll of an operation
    that is not done waits for it, so clients do not sleep.

    Permissions are `<first label of host, or prefix>.<collection>.<verb>`: check by hand those that you rely on, add exceptions
    to `permissions` ("" for none) and new predefined roles to `roles.py`. `access.may` and `access.require_permission` ask
    for more (`iam.serviceAccounts.actAs`).

Clients without HTTP rules
    (IAM, Monitoring, Logging): `discovery = ("iam", "v1")` takes the rules from the discovery document that
    google-api-python-client ships; `discovered` names the RPC of a method where names do not tell.

APIs without a gRPC client
    (Compute, Service Networking): subclass `json_service.JsonService`, which is driven by the discovery document; resources
    are JSON. `@rpc("compute.networks.insert")` handlers and the same hooks work, with `call.message` the parameters and
    `call.body` the body. Never import `google.cloud.compute_v1` here: it takes 94 MB. Cloud SQL, whose RPCs are called `Get` and
    `Insert` in each of its gRPC services, is one of them too: `rest_of_grpc.py` puts a gRPC call as the REST request it equals.

Networks
    `compute.places.place_in` gives a program a place in a subnet; it is entered in `context.places` under its task's name.
    `places.reaches` and `places.reaches_google` say where it gets. A managed service takes a private address of
    `compute.private_services.addresses`, and its relay asks `places.admits_to_service`. Servers that run tell of themselves
    in `context.servers`.

APIs of another make
    (Cloud Storage, the OAuth endpoints): override `Service.http(request, entry)`, and fill in the ledger's entry.

Logs
    `cloud.service("logging.googleapis.com").write(entry)` keeps an entry of any service, and `.find(filter)` finds them, for
    whoever counts what a log-based metric names. What runs images is in `gcp/run/`: jobs, services, worker pools; and in
    `gcp/build/`: the steps of builds. What these do in the name of an account, they do by `acting`.

Identities
    `cloud.identities.give_token(email)` gives an access token of a service account to whoever runs as it, and
    `cloud.keys.identity_token(email, audience)` an identity token; `cloud.keys.identity_of(token, audience)` reads one.
    Who comes with a token of another issuer is found out in `federation`.
"""
