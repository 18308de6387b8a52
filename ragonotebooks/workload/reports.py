"""The report job: what the corpus holds and how well its index answers questions, as JSON and as Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from .artifacts import Artifacts, MissingArtifactError, to_json
from .chunks import Passage
from .embeddings import Vectors, embed
from .evaluate import QUESTIONS, evaluate, read_questions
from .recall import measure
from .store import Store

REPORTS = "reports/"
MOST = 10  # rows of a table


def write(store: Store, artifacts: Artifacts, name: str) -> dict[str, Any]:
    """Write `reports/<name>.json` and `.md`, unless they are there; returns their keys and the number of papers."""
    data, page = f"{REPORTS}{name}.json", f"{REPORTS}{name}.md"
    papers, (passages, vectors) = store.papers(limit=None), store.passages()
    if data not in artifacts.list(data):
        report: dict[str, Any] = {"report": name, "written": datetime.now(UTC).isoformat(timespec="seconds")}
        report |= {
            "corpus": statistics(papers, passages),
            "evaluation": _evaluation(store, artifacts, passages, vectors),
        }
        artifacts.write(page, markdown(report).encode())
        artifacts.write(data, to_json(report))  # last: where it is, the other one is too
    return {"report": data, "page": page, "papers": len(papers)}


def statistics(papers: Sequence[dict[str, Any]], passages: Sequence[Passage]) -> dict[str, Any]:
    """Counts of the corpus; the tables hold what is most frequent, at most ten rows each."""
    return {
        "papers": len(papers),
        "passages": len(passages),
        "words": sum(len(passage.text.split()) for passage in passages),
        "authors": len({author for paper in papers for author in paper["authors"]}),
        "decades": dict(sorted(Counter(f"{paper['year'] // 10}0s" for paper in papers if paper["year"]).items())),
        "venues": _most([paper["venue"]] for paper in papers if paper["venue"]),
        "fields": _most({code[:1] for code in paper["jel"]} for paper in papers),
    }


def markdown(report: dict[str, Any]) -> str:
    """The report as a page that a person reads."""
    corpus, evaluation = report["corpus"], report["evaluation"]
    lines = [
        "# The corpus and its index",
        "",
        f"Written {report['written']}: {corpus['papers']} papers by {corpus['authors']} authors, "
        f"{corpus['words']} words in {corpus['passages']} passages.",
    ]
    lines += _table("Papers by decade", "Decade", corpus["decades"])
    lines += _table("Venues", "Venue", corpus["venues"])
    lines += _table("Fields", "JEL category", corpus["fields"])
    lines += ["", "## Questions whose papers are known", ""]
    if evaluation is None:
        return "\n".join([*lines, f"There is no {QUESTIONS}, so nothing was measured.", ""])
    lines += ["| Method | Recall@5 | Mean reciprocal rank |", "|---|---|---|"]
    lines += [
        f"| {method} | {value['recall@5']:.3f} | {value['mrr']:.3f} |"
        for method, value in evaluation["methods"].items()
    ]
    lines += ["", f"Over {evaluation['questions']} questions. Of the ten passages that are nearest to a question, "]
    lines[-1] += f"the vector index finds {evaluation['index_recall@10']:.1%}."
    return "\n".join([*lines, ""])


def _evaluation(
    store: Store, artifacts: Artifacts, passages: Sequence[Passage], vectors: Vectors
) -> dict[str, Any] | None:
    try:
        questions = read_questions(artifacts.read(QUESTIONS).data)
    except MissingArtifactError:
        return None
    result = evaluate(passages, vectors, questions)
    found = measure(store, embed([question.text for question in questions]), top=10)
    return {"questions": len(questions), "methods": result["methods"], "index_recall@10": round(found.recall, 4)}


def _most(values: Iterable[Iterable[str]]) -> dict[str, int]:
    counted = Counter(value for each in values for value in each)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST])


def _table(title: str, head: str, rows: dict[str, int]) -> list[str]:
    cells = [f"| {name.replace('|', '/')} | {count} |" for name, count in rows.items()]
    return ["", f"## {title}", "", f"| {head} | Papers |", "|---|---|", *cells]
