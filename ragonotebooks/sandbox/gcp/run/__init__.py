"""Cloud Run: what runs behind its API. Instances are processes; executions, revisions and worker pools start and end them."""

from typing import Final

HOST: Final = "run.googleapis.com"
