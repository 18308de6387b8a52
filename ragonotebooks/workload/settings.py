"""What a process is told from outside: environment variables, and nothing else.

Each asks for what it needs, so that a migration runs without a bucket and a missing variable is named before
anything is touched. Where root certificates lie is the libraries' business: `PGSSLROOTCERT` is libpq's variable,
`SSL_CERT_FILE` is OpenSSL's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import InputError

SHORTEST_KEY = 16
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


@dataclass(frozen=True)
class Queue:
    """Where the queue is: a Valkey or Redis server. `authority` is a file: it signs for this server and for no other."""

    host: str
    port: int
    password: str = field(repr=False)
    tls: bool
    authority: str | None


@dataclass(frozen=True)
class Provider:
    """A language model behind an OpenAI-compatible API; `url` is its base, such as https://api.example.com/v1."""

    url: str
    model: str
    key: str = field(repr=False)


def secrets(environment: Mapping[str, str]) -> list[str]:
    """The values that no log may show."""
    values = [environment.get(name, "") for name in ("DATABASE_PASSWORD", "QUEUE_PASSWORD", "LLM_API_KEY")]
    return [*values, *_listed(environment.get("API_KEY", ""))]


def database(environment: Mapping[str, str]) -> Database:
    """DATABASE_HOST, _NAME, _USER and _PASSWORD; DATABASE_PORT (5432) and DATABASE_SSLMODE (verify-full) are optional.

    Raises InputError naming the first variable that is missing or wrong.
    """
    return Database(
        host=_required(environment, "DATABASE_HOST", "the host name of the database's endpoint"),
        port=_port(environment, "DATABASE_PORT", 5432),
        name=_required(environment, "DATABASE_NAME", "the name of the database"),
        user=_required(environment, "DATABASE_USER", "the user to connect as"),
        password=_required(environment, "DATABASE_PASSWORD", "that user's password, injected as a secret"),
        sslmode=_sslmode(environment.get("DATABASE_SSLMODE") or "verify-full"),
    )


def queue(environment: Mapping[str, str]) -> Queue:
    """QUEUE_HOST and QUEUE_PASSWORD; QUEUE_PORT (6379), QUEUE_TLS (true) and QUEUE_AUTHORITY are optional.

    QUEUE_AUTHORITY is a file with the certificate of the server's own authority, such as each instance of Memorystore has.
    """
    return Queue(
        host=_required(environment, "QUEUE_HOST", "the host name of the queue's endpoint"),
        port=_port(environment, "QUEUE_PORT", 6379),
        password=_required(environment, "QUEUE_PASSWORD", "the queue's AUTH token, injected as a secret"),
        tls=_flag(environment, "QUEUE_TLS", "true"),
        authority=_file(environment, "QUEUE_AUTHORITY"),
    )


def api_keys(environment: Mapping[str, str]) -> list[str]:
    """API_KEY: the key that clients must send, or several with commas between them, so that one can be replaced."""
    keys = _listed(_required(environment, "API_KEY", "the key that clients must send, injected as a secret"))
    if not keys or min(map(len, keys)) < SHORTEST_KEY:
        raise InputError(f"API_KEY holds a key that can be guessed: give each {SHORTEST_KEY} characters or more.")
    return keys


def provider(environment: Mapping[str, str]) -> Provider | None:
    """LLM_API_KEY, LLM_API_URL and LLM_MODEL: the language model that answers, None when no key is there."""
    if not environment.get("LLM_API_KEY", "").strip():
        return None
    url = _required(environment, "LLM_API_URL", "the base of the provider's API, such as https://api.example.com/v1")
    if not url.startswith(("https://", "http://")):
        raise InputError(f"LLM_API_URL is {url!r}, which is no web address: give one that starts with https://.")
    model = _required(environment, "LLM_MODEL", "the name of the provider's model")
    return Provider(url.rstrip("/"), model, environment["LLM_API_KEY"].strip())


def port(environment: Mapping[str, str], default: int) -> int:
    """PORT: where a server listens."""
    return _port(environment, "PORT", default)


def number(environment: Mapping[str, str], variable: str, default: int) -> int:
    """A whole number from 1 to a million in an optional variable."""
    text = environment.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000):
        raise InputError(f"{variable} is {text!r}: give a whole number from 1 to 1000000.")
    return int(text)


def artifacts(environment: Mapping[str, str]) -> str:
    """ARTIFACTS: where corpus, shards and manifests live, `s3://bucket/prefix`, `gs://bucket/prefix` or `file:///folder`."""
    return _required(environment, "ARTIFACTS", "the artifact store, such as s3://bucket/prefix")


def project(environment: Mapping[str, str]) -> str | None:
    """GOOGLE_CLOUD_PROJECT: the project of Google Cloud that this runs in; None elsewhere."""
    return environment.get("GOOGLE_CLOUD_PROJECT") or None


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


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _port(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise InputError(f"{variable} is {text!r}, which is no port: give a number from 1 to 65535.")
    return int(text)


def _file(environment: Mapping[str, str], variable: str) -> str | None:
    path = environment.get(variable) or None
    if path and not Path(path).is_file():
        raise InputError(f"{variable} is {path!r}, which is no file: give the path of one, or leave it out.")
    return path


def _flag(environment: Mapping[str, str], variable: str, default: str) -> bool:
    text = environment.get(variable) or default
    if text not in ("true", "false"):
        raise InputError(f"{variable} is {text!r}: give true or false.")
    return text == "true"


def _sslmode(text: str) -> str:
    if text not in SSL_MODES:
        raise InputError(f"DATABASE_SSLMODE is {text!r}, no mode of libpq: give one of {', '.join(SSL_MODES)}.")
    return text
