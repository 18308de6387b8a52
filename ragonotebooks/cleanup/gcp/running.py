"""Cloud Build, Cloud Run and Artifact Registry: what releases, what runs, and what it runs."""

from typing import Final

from ragonotebooks.cleanup.gcp.listing import description, listed

TOPICS: Final = listed("pubsub", "topic", "v1/{project}/topics")
TRIGGERS: Final = listed("cloudbuild", "build trigger", "v1/{project}/locations/{region}/triggers", description)
SERVICES: Final = listed("run", "service", "v2/{project}/locations/{region}/services")
WORKER_POOLS: Final = listed("run", "worker pool", "v2/{project}/locations/{region}/workerPools")
JOBS: Final = listed("run", "job", "v2/{project}/locations/{region}/jobs")
REPOSITORIES: Final = listed("artifactregistry", "repository", "v1/{project}/locations/{region}/repositories")
