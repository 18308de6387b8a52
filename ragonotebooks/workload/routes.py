"""The API's routes. Those that wait for the database, the bucket or the queue are plain functions: FastAPI runs them
in threads.
"""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import JSONResponse, Response

from . import api_models as models
from . import logs, provider, records
from .answer import compose, extract
from .artifacts import MissingArtifactError, to_json
from .errors import InputError
from .index import CORPUS
from .jobs import Job
from .search import search
from .service import Service, Use, admit
from .store import Hit

LISTED = 100  # jobs that are looked at for a list

health = APIRouter(tags=["health"])
guarded = APIRouter(dependencies=[Depends(admit)])


@health.get("/healthz")
async def alive() -> dict[str, str]:
    """Whether the process is there. It asks nothing else, so that a database that is down kills no task."""
    return {"status": "alive"}


@health.get("/readyz", response_model=models.Readiness, responses={503: {"model": models.Readiness}})
def ready(service: Use) -> Response:
    """Whether the database, the queue and the bucket answer, and how quickly."""
    readiness = service.health.readiness()
    return JSONResponse(readiness.model_dump(), 200 if readiness.ready else 503)


@guarded.get("/search", tags=["questions"])
def find(q: models.Question, service: Use, top: models.Top = 5) -> models.Found:
    """The passages that answer a question, best first."""
    return models.Found(question=q, passages=[models.Passage(**_passage(hit)) for hit in _search(service, q, top)])


@guarded.get("/ask", tags=["questions"])
def ask(q: models.Question, service: Use, top: models.Top = 5) -> models.Answer:
    """An answer with its citations: the language model's where there is one, else sentences of the passages."""
    hits = _search(service, q, top)
    if not (service.provider and hits):
        return _extracted(q, hits)
    try:
        text = provider.ask(service.provider, q, hits)
    except provider.ProviderError as error:
        logs.warning("provider failed", message=str(error))
        return _extracted(q, hits, provider_error=str(error))
    return models.Answer(
        question=q,
        answer=text,
        answered_by="provider",
        model=service.provider.model,
        sentences=[],
        citations=_citations(hits, provider.cited(text, hits)),
    )


@guarded.get("/papers", tags=["corpus"])
def papers(
    service: Use, limit: Annotated[int, Query(ge=1, le=1000)] = 100, after: Annotated[str, Query(max_length=200)] = ""
) -> models.Papers:
    """The papers of the index in order of id, page by page."""
    rows = service.database.run(lambda store: store.papers(limit + 1, after))
    listed = [models.Paper(**row) for row in rows[:limit]]
    return models.Papers(papers=listed, next=listed[-1].id if len(rows) > limit else None)


@guarded.post("/papers", tags=["corpus"], status_code=201)
def put_paper(paper: models.PaperRecord, service: Use, response: Response) -> models.Stored:
    """Put a paper into the corpus, or replace it (200). It is found once an index job has run."""
    key, data = f"{CORPUS}{paper.id}.json", to_json(paper.model_dump(exclude_none=True))
    try:
        records.read(key, data)
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    try:
        service.artifacts.read(key)
        response.status_code = 200
    except MissingArtifactError:
        response.status_code = 201
    version = service.artifacts.write(key, data)
    logs.info("paper stored", paper=paper.id, key=key, version=version)
    return models.Stored(paper=paper.id, key=key, version=version)


@guarded.post("/index", tags=["jobs"], status_code=202)
def start_index(service: Use, response: Response) -> models.Job:
    """Start a job that brings the index up to date with the corpus."""
    return _start(service, "index", response)


@guarded.post("/report", tags=["jobs"], status_code=202)
def start_report(service: Use, response: Response) -> models.Job:
    """Start a job that describes the corpus and measures how well questions are answered."""
    return _start(service, "report", response)


@guarded.get("/jobs", tags=["jobs"])
def jobs(service: Use, limit: Annotated[int, Query(ge=1, le=LISTED)] = 20) -> models.Jobs:
    """The newest jobs, how many wait, and which are dead."""
    recent = service.jobs.recent(LISTED)
    dead = [job.id for job in recent if job.status == "failed"]
    return models.Jobs(waiting=service.jobs.depth(), dead=dead, jobs=[_job(job) for job in recent[:limit]])


@guarded.get("/jobs/{job_id}", tags=["jobs"])
def job(job_id: str, service: Use) -> models.Job:
    """How a job stands, and its result or its error."""
    found = service.jobs.find(job_id)
    if found is None:
        raise HTTPException(404, f"There is no job {job_id[:64]!r}, or it ended more than a week ago.")
    return _job(found)


@guarded.post("/jobs/{job_id}/retry", tags=["jobs"], status_code=202)
def retry(job_id: str, service: Use) -> models.Job:
    """Put a dead job back into the queue."""
    if not service.jobs.revive(job_id):
        raise HTTPException(409, f"The job {job_id[:64]!r} is not dead, so it cannot be tried again.")
    return job(job_id, service)


def _search(service: Service, question: str, top: int) -> list[Hit]:
    return service.database.run(lambda store: search(store, question, top))


def _extracted(question: str, hits: list[Hit], provider_error: str | None = None) -> models.Answer:
    sentences = extract(question, hits)
    return models.Answer(
        question=question,
        answer=compose(sentences) or None,
        answered_by="extraction",
        provider_error=provider_error,
        sentences=[models.Sentence(**asdict(sentence)) for sentence in sentences],
        citations=_citations(hits, [sentence.citation for sentence in sentences]),
    )


def _citations(hits: list[Hit], cited: list[int]) -> list[models.Citation]:
    return [
        models.Citation(number=number, cited=number in cited, **_passage(hit))
        for number, hit in enumerate(hits, start=1)
    ]


def _passage(hit: Hit) -> dict[str, Any]:
    return asdict(hit.passage) | {"score": round(hit.score, 6)}


def _start(service: Service, kind: str, response: Response) -> models.Job:
    queued = service.jobs.put(kind)
    logs.info("job queued", job_id=queued.id, job=kind)
    response.headers["Location"] = f"/jobs/{queued.id}"
    return _job(queued)


def _job(job: Job) -> models.Job:
    return models.Job(**asdict(job))
