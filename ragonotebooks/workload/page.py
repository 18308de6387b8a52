"""The page: ask, read what an answer cites, see the corpus, start an index job and watch it.

Streamlit runs this file for every visitor and after every click. It talks to the API alone.
"""

import os
from typing import Any
from uuid import uuid4

import requests
import streamlit as st

SECONDS = 40  # the API waits up to 30 s for a language model
METADATA_SECONDS = 5
ENDED = ("finished", "failed", "stopped", "canceled")


class ApiError(Exception):
    """The API refused or cannot be reached. The message is for the person who asked."""


def call(method: str, path: str, **parameters: Any) -> Any:
    """Ask the API and return its JSON. Raises ApiError."""
    request = uuid4().hex
    headers = {"X-API-Key": os.environ["API_KEY"], "X-Request-Id": request}
    url = os.environ["API_URL"].rstrip("/") + path
    try:
        headers |= identity()
        answer = requests.request(method, url, params=parameters, headers=headers, timeout=SECONDS)
    except requests.RequestException as error:
        raise ApiError(f"The API cannot be reached ({type(error).__name__}).") from error
    try:
        body = answer.json()
    except ValueError:
        raise ApiError(f"The API answered {answer.status_code} without JSON (request {request}).") from None
    if not answer.ok:
        raise ApiError(f"{body.get('detail', answer.reason)} (request {request})")
    return body


def identity() -> dict[str, str]:
    """The header that says who this page runs as, where API_AUDIENCE tells that the API is a private service of Cloud Run.

    The token comes from Google Cloud's metadata server, which keeps it until it is about to end.
    """
    audience = os.environ.get("API_AUDIENCE")
    if not audience:
        return {}
    server = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    url = f"http://{server}/computeMetadata/v1/instance/service-accounts/default/identity"
    answer = requests.get(
        url, params={"audience": audience}, headers={"Metadata-Flavor": "Google"}, timeout=METADATA_SECONDS
    )
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.text}"}


def main() -> None:
    """The page, from top to bottom."""
    st.set_page_config(page_title="Ragonometrics")
    st.title("Ragonometrics")
    st.caption("Questions about economics papers, answered with citations.")
    ask, corpus, jobs = st.tabs(["Ask", "Corpus", "Index"])
    with ask:
        show_ask()
    with corpus:
        show_corpus()
    with jobs:
        show_jobs()


def show_ask() -> None:
    """A question, its answer, and the passages that it cites."""
    with st.form("question"):
        question = st.text_input("Your question", placeholder="Why do bad cars drive out good ones?", max_chars=1000)
        asked = st.form_submit_button("Ask", type="primary")
    if asked and question.strip():
        with st.spinner("Reading…"):
            st.session_state.answer = attempt("GET", "/ask", q=question)
    if answer := st.session_state.get("answer"):
        show_answer(answer)


def show_answer(answer: dict[str, Any]) -> None:
    """An answer as the API gives it."""
    st.subheader(plain(answer["question"]))
    st.markdown(plain(answer["answer"]) if answer["answer"] else "*No passage of the corpus comes near this question.*")
    by = f"the model {answer['model']}" if answer["model"] else "extraction: sentences of the passages below, unchanged"
    st.caption(f"Answered by {plain(by)}")
    if answer["provider_error"]:
        st.warning(plain(answer["provider_error"]))
    for cited in sorted(answer["citations"], key=lambda citation: not citation["cited"]):
        show_citation(cited)


def show_citation(citation: dict[str, Any]) -> None:
    """A passage with its paper and its score; what the answer cites is open."""
    title = f"[{citation['number']}] {citation['title']} · score {citation['score']:.4f}"
    with st.expander(plain(title), expanded=citation["cited"]):
        where = ", ".join(str(part) for part in (citation["venue"], citation["year"]) if part)
        st.caption(plain(f"{'; '.join(citation['authors'])} · {where} · {citation['paper']}"))
        st.markdown(plain(citation["text"]))


def show_corpus() -> None:
    """The papers of the index, page by page."""
    pages: list[str] = st.session_state.setdefault("pages", [""])
    listed = attempt("GET", "/papers", limit=100, after=pages[-1])
    if not listed:
        return
    columns = ("id", "title", "authors", "year", "venue", "passages")
    st.dataframe([{column: paper[column] for column in columns} for paper in listed["papers"]], hide_index=True)
    if not listed["papers"]:
        st.info("The index is empty: start an index job.")
    if listed["next"] and st.button("Next papers"):
        pages.append(listed["next"])
        st.rerun()
    if len(pages) > 1 and st.button("First papers"):
        st.session_state.pages = [""]
        st.rerun()


def show_jobs() -> None:
    """A button that starts an index job, how it goes on, and the jobs before it."""
    st.write("An index job reads the corpus and brings the index up to date.")
    if st.button("Start an index job") and (started := attempt("POST", "/index")):
        st.session_state.job = started["id"]
    if job := st.session_state.get("job"):
        watch(job)
    if listed := attempt("GET", "/jobs"):
        st.caption(f"{listed['waiting']} waiting, {len(listed['dead'])} failed for good")
        columns = ("id", "kind", "status", "created", "error")
        st.dataframe([{column: job[column] for column in columns} for job in listed["jobs"]], hide_index=True)


@st.fragment(run_every=1.0)  # type: ignore[untyped-decorator]
def watch(job: str) -> None:
    """How a job stands, asked again every second until it has ended."""
    found = st.session_state.get("ended") if st.session_state.get("ended", {}).get("id") == job else None
    found = found or attempt("GET", f"/jobs/{job}")
    if not found:
        return
    st.markdown(f"Job `{job}`: **{found['status']}**")
    if found["error"]:
        st.error(plain(found["error"]))
    if found["result"]:
        st.json(found["result"])
    if found["status"] in ENDED and st.session_state.get("ended") != found:
        st.session_state.ended = found
        st.rerun()  # the whole page: the corpus may have changed


def attempt(method: str, path: str, **parameters: Any) -> Any:
    """What the API answers; when it refuses, the page says why and the answer is None."""
    try:
        return call(method, path, **parameters)
    except ApiError as error:
        st.error(plain(str(error)))
        return None


def plain(text: str) -> str:
    """Text as Markdown that shows it as it is: a paper may hold $ and *, and must not draw links or images."""
    return "".join(f"\\{character}" if character in r"\`*_{}[]<>()#+-!|$~:" else character for character in text)


if __name__ == "__main__":
    main()
