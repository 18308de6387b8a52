"""What the API takes and answers, as its documentation at `/docs` shows it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Question = Annotated[Text, Query(alias="q", max_length=1000, description="The question, in your own words")]
Top = Annotated[int, Query(ge=1, le=20, description="How many passages")]


class Passage(BaseModel):
    """A passage with all that a citation needs. `score` adds up reciprocal ranks by meaning and by words."""

    paper: str
    position: int
    title: str
    authors: list[str]
    year: int | None
    venue: str | None
    text: str
    score: float


class Found(BaseModel):
    """The passages that answer a question, best first."""

    question: str
    passages: list[Passage]


class Citation(Passage):
    """A passage that an answer was made from, with the number that the answer cites it by."""

    number: int
    cited: bool


class Sentence(BaseModel):
    """A sentence of an answer that was extracted. `score` tells how well it and its passage fit the question."""

    text: str
    citation: int
    score: float


class Answer(BaseModel):
    """An answer, None when no passage comes near; `model` and `answered_by` tell who wrote it."""

    question: str
    answer: str | None
    answered_by: Literal["extraction", "provider"]
    model: str | None = None
    provider_error: str | None = None
    sentences: list[Sentence]
    citations: list[Citation]


class PaperRecord(BaseModel):
    """A paper for the corpus. Its id names its file, so the same id replaces it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    title: Text
    authors: list[Text] = Field(min_length=1)
    year: int = Field(ge=1000, le=2100)
    venue: Text
    jel: list[Annotated[str, StringConstraints(pattern=r"^[A-Z][0-9]{0,2}$")]] = []
    summary: Text
    doi: Text | None = None


class Stored(BaseModel):
    """Where a paper was put; it is found once an index job has run."""

    paper: str
    key: str
    version: str | None


class Paper(BaseModel):
    """A paper of the index."""

    id: str
    title: str
    authors: list[str]
    year: int | None
    venue: str | None
    jel: list[str]
    doi: str | None
    indexed_at: datetime
    passages: int


class Papers(BaseModel):
    """Papers in order of id; `next` is what `after` must be for more, None at the end."""

    papers: list[Paper]
    next: str | None


class Job(BaseModel):
    """A job. `error` is why it failed, or why its last try did when it is scheduled to be tried again."""

    id: str
    kind: str
    status: Literal["queued", "started", "scheduled", "finished", "failed", "stopped", "deferred", "canceled"]
    created: datetime
    started: datetime | None
    ended: datetime | None
    retries_left: int
    result: dict[str, Any] | None
    error: str | None


class Jobs(BaseModel):
    """The newest jobs; `waiting` is how deep the queue is, and `dead` are the ids of those that failed for good."""

    waiting: int
    dead: list[str]
    jobs: list[Job]


class Check(BaseModel):
    """How one thing that the API needs answered, and after how long; why it did not is in the log."""

    ok: bool
    ms: float


class Readiness(BaseModel):
    """Whether the API can serve; `failed` names what cannot be reached."""

    ready: bool
    failed: list[str]
    checks: dict[str, Check]
