"""A throw-away certificate authority: clients of one sandbox trust it, nobody else does, and its key is never written down."""

import ssl
import threading
from pathlib import Path

import certifi
import trustme

BUNDLE_FILE = "ca-bundle.pem"


class Authority:
    """Issues certificates on the fly for host names and loopback addresses.

    The bundle that it writes into `folder` holds the public roots too, so that a client which uses it for everything still
    recognises the rest of the world; `certificate` is this authority's own, as PEM.
    """

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA(organization_name="ragonotebooks sandbox", key_type=trustme.KeyType.ECDSA)
        self._contexts: dict[tuple[str, tuple[str, ...]], ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self.bundle = folder / BUNDLE_FILE
        self.certificate = self._ca.cert_pem.bytes()
        self.bundle.write_bytes(self.certificate + Path(certifi.where()).read_bytes())

    def server_context(self, host: str, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
        """Return a TLS server context whose certificate names `host`, a DNS name or an IP address.

        `protocols`: what the server offers by ALPN, what it likes best first.
        """
        with self._lock:
            if (host, protocols) not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._ca.issue_cert(host, key_type=trustme.KeyType.ECDSA).configure_cert(context)
                if protocols:
                    context.set_alpn_protocols(protocols)
                self._contexts[host, protocols] = context
            return self._contexts[host, protocols]
