"""The certificates of one Cloud SQL instance: an authority of its own, and what its server shows.

A client verifies the authority (`sslmode=verify-ca`); the server's certificate names the instance, not its address, so
`verify-full` fails as it does on Google Cloud. Source: Google Cloud, "Authorize with SSL/TLS certificates", read 2026-11.
"""

import ssl
from dataclasses import dataclass
from typing import Any, Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1

Json = dict[str, Any]

_ORGANISATION: Final = "Google, Inc"


@dataclass
class _Version:
    """One authority."""

    authority: trustme.CA
    certificate: x509.Certificate

    @classmethod
    def new(cls) -> "_Version":
        authority = trustme.CA(
            organization_name=_ORGANISATION,
            organization_unit_name="Google Cloud SQL Server CA",
            key_type=trustme.KeyType.ECDSA,
        )
        return cls(authority, x509.load_pem_x509_certificate(authority.cert_pem.bytes()))

    def shown(self, instance: str) -> Json:
        """As the API shows it."""
        certificate = self.certificate
        return {
            "kind": "sql#sslCert",
            "instance": instance,
            "cert": self.authority.cert_pem.bytes().decode(),
            "certSerialNumber": str(certificate.serial_number),
            "commonName": certificate.subject.rfc4514_string(),
            "createTime": certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "expirationTime": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sha1Fingerprint": certificate.fingerprint(SHA1()).hex(),
        }


class Certificates:
    """The authorities of an instance: the one whose certificate the server shows, and the one that may come next.

    Args:
        instance: The instance's name.
        connection_name: `project:region:instance`.
    """

    def __init__(self, instance: str, connection_name: str) -> None:
        self._instance = instance
        project, region, name = connection_name.split(":")
        self._common_name = f"{project}:{name}"
        self._host = f"{name}.{region}.sql.goog"
        self._known = [_Version.new()]
        self._active = self._known[0]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._show()

    def active(self) -> Json:
        """The authority that is in use."""
        return self._active.shown(self._instance)

    def all(self) -> list[Json]:
        """The one in use, then the one that comes next or came before."""
        others = [one.shown(self._instance) for one in self._known if one is not self._active]
        return [self.active(), *others]

    def add(self) -> Json:
        """Make the authority that comes next."""
        upcoming = _Version.new()
        self._known = [self._active, upcoming]
        return upcoming.shown(self._instance)

    def rotate(self) -> bool:
        """Use the other authority from the next connection on; return whether there is one."""
        if len(self._known) == 1:
            return False
        self._active = next(one for one in self._known if one is not self._active)
        self._show()
        return True

    def _show(self) -> None:
        leaf = self._active.authority.issue_cert(
            self._host, common_name=self._common_name, key_type=trustme.KeyType.ECDSA
        )
        leaf.configure_cert(self.context)
