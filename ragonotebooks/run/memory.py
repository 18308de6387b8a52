"""What a run leaves in a sandbox's memory."""

from typing import TYPE_CHECKING

from ragonotebooks.lesson.memory import remember

if TYPE_CHECKING:
    from ragonotebooks.catalog.notebook import Notebook
    from ragonotebooks.run.request import OnPassed, Request, Values


def memory(request: "Request") -> "OnPassed":
    """Lets a sandbox remember what passed in it, so that `connect` and `resume` need not run it again."""

    def on_passed(notebook: "Notebook", values: "Values") -> None:
        if request.mode != "verify" and request.sandboxed:
            remember(request.sandbox, notebook.key, values)

    return on_passed
