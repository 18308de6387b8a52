"""Images for the API and the worker on Google Cloud: pushed on top of the one that runs, and deleted again."""

from ragonotebooks.images import Registry, append, layer_of_files
from ragonotebooks.sandbox import client
from tests.google import HERE, PROJECT, REGION, api
from tests.sandbox.conftest import Sandbox
from tests.sandbox.gcp.conftest import environment_of

DEPLOYMENT = "ragonometrics"


def running(sandbox: str, part: str = "api") -> str:
    """The digest of the image of which the next revision of a service would be made."""
    service = api(sandbox, "run").call("GET", f"v2/{HERE}/services/{DEPLOYMENT}-{part}")
    return str(service["template"]["containers"][0]["image"].rpartition("@")[2])


def push(sandbox: str, files: dict[str, str]) -> str:
    """Push the image that the API runs with other files on top, under no tag, and return its digest."""
    state = client.find(sandbox)
    assert state
    token = str(api(sandbox, "artifactregistry").session.headers["Authorization"]).removeprefix("Bearer ")
    path = f"{PROJECT}/{DEPLOYMENT}/jobs"
    with environment_of(Sandbox(state)):
        registry = Registry(f"{REGION}-docker.pkg.dev", "oauth2accesstoken", token)
        layer = layer_of_files({name: text.encode() for name, text in files.items()})
        image = append(registry.pull(path, running(sandbox)), [layer])
        return registry.push(image, path, image.digest)


def delete(sandbox: str, digest: str) -> None:
    """Delete an image that has no tag."""
    image = f"v1/{HERE}/repositories/{DEPLOYMENT}/packages/jobs/versions/{digest}"
    api(sandbox, "artifactregistry").start("DELETE", image)
