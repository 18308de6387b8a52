"""What a job is told from outside: environment variables, and nothing else.

Each job asks for what it needs, so that a migration runs without a bucket and a missing variable is named before
anything is touched. Where the server's root certificate lies is libpq's business: `PGSSLROOTCERT` is its variable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import InputError

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class Database:
    """Where the database is and who connects. `host` is a name, an address or the folder of a unix socket."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    sslmode: str


def database(environment: Mapping[str, str]) -> Database:
    """DATABASE_HOST, _NAME, _USER and _PASSWORD; DATABASE_PORT (5432) and DATABASE_SSLMODE (verify-full) are optional.

    Raises InputError naming the first variable that is missing or wrong.
    """
    return Database(
        host=_required(environment, "DATABASE_HOST", "the host name of the database's endpoint"),
        port=_port(environment.get("DATABASE_PORT") or "5432"),
        name=_required(environment, "DATABASE_NAME", "the name of the database"),
        user=_required(environment, "DATABASE_USER", "the user to connect as"),
        password=_required(environment, "DATABASE_PASSWORD", "that user's password, injected as a secret"),
        sslmode=_sslmode(environment.get("DATABASE_SSLMODE") or "verify-full"),
    )


def artifacts(environment: Mapping[str, str]) -> str:
    """ARTIFACTS: where corpus, shards and manifests live, `s3://bucket/prefix` or `file:///folder`."""
    return _required(environment, "ARTIFACTS", "the artifact store, such as s3://bucket/prefix")


def image_digest(environment: Mapping[str, str]) -> str | None:
    """IMAGE_DIGEST: `sha256:` and 64 hexadecimal digits of the image that runs; None when it is not told."""
    digest = environment.get("IMAGE_DIGEST") or None
    if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise InputError(f"IMAGE_DIGEST is {digest!r}, which is no image digest: give sha256: and 64 hex digits.")
    return digest


def _required(environment: Mapping[str, str], variable: str, meaning: str) -> str:
    value = environment.get(variable, "")
    if not value.strip():
        raise InputError(f"The environment variable {variable} is not set: give it {meaning}.")
    return value


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise InputError(f"DATABASE_PORT is {text!r}, which is no port: give a number from 1 to 65535.")
    return int(text)


def _sslmode(text: str) -> str:
    if text not in SSL_MODES:
        raise InputError(f"DATABASE_SSLMODE is {text!r}, no mode of libpq: give one of {', '.join(SSL_MODES)}.")
    return text
