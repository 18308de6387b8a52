"""The gRPC front: any method of any service, by the types that the client packages ship."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status

from ragonotebooks.sandbox.gcp import engine, mixins
from ragonotebooks.sandbox.gcp.apis import Rpc
from ragonotebooks.sandbox.gcp.cloud import Cloud
from ragonotebooks.sandbox.gcp.errors import ApiError, fault, unsupported
from ragonotebooks.sandbox.gcp.service import Service
from ragonotebooks.sandbox.ledger import Call as Entry

_THREADS: Final = 16
_LARGEST: Final = 64 * 1024**2


def serve(cloud: Cloud, socket: Path) -> grpc.Server:
    """Answer gRPC calls on a unix socket; return the running server."""
    server = grpc.server(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"),
        handlers=[_Methods(cloud)],
        options=[("grpc.max_receive_message_length", _LARGEST), ("grpc.max_send_message_length", _LARGEST)],
    )
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    return server


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc is not typed
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def service(self, handler_call_details: Any) -> Any:
        """Return what answers a method, given by its path."""
        path: str = handler_call_details.method
        try:
            service, rpc = self._find(path)
        except ApiError as error:
            return _refusal(error)
        if rpc.streams:
            return (service and service.stream(rpc)) or _refusal(unsupported(f"{service and service.host} {rpc.name}"))
        return grpc.unary_unary_rpc_method_handler(
            self._answer(service, rpc), rpc.request.FromString, lambda answer: answer.SerializeToString()
        )

    def _find(self, path: str) -> tuple[Service | None, Rpc]:
        """Return an RPC and its service; None for those that all services have, which only the request tells apart."""
        if path in mixins.OPERATIONS:
            return None, mixins.OPERATIONS[path]
        package, _, name = path.strip("/").partition("/")
        try:
            service = self._cloud.service_of_package(package.rpartition(".")[0])
        except ApiError:
            raise unsupported(f"{package} {name}") from None
        if path not in service.rpcs:
            raise unsupported(f"{service.host} {name}")
        return service, service.rpcs[path]

    def _answer(self, known: Service | None, rpc: Rpc) -> Callable[[Message, Any], Message]:
        cloud = self._cloud

        def answer(message: Message, context: Any) -> Message:
            started, entry = engine.now(), Entry()
            token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
            problem: ApiError | None = None
            try:
                service = known or cloud.service(cloud.operations.host(message.name))
                return service.answer(rpc, message, token, entry)
            except ApiError as error:
                problem = error
            except Exception as error:
                problem = fault(rpc.path, error)
            finally:
                engine.write_down(cloud, entry, problem, problem.http if problem else 200, started)
            _abort(context, problem)

        return answer


def _refusal(error: ApiError) -> Any:
    def refuse(message: bytes, context: Any) -> NoReturn:
        _abort(context, error)

    return grpc.unary_unary_rpc_method_handler(refuse)


def _abort(context: Any, error: ApiError) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(error.status()))
    raise AssertionError  # what aborts does not return
