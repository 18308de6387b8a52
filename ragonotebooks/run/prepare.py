"""What has to be there before a run begins: its notebooks' kernels and clients, and limits that can be held."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from ragonotebooks.catalog.notebook import Notebook
from ragonotebooks.catalog.project import shown
from ragonotebooks.errors import UsageError
from ragonotebooks.run import engine
from ragonotebooks.run.outline import Part, outline
from ragonotebooks.run.request import Request


def prepared(request: Request) -> list[list[Part]]:
    """The parts of each notebook; a UsageError names what keeps one from being executed."""
    engine.register()
    for notebook in request.runbook.notebooks:
        _require_kernel(notebook)
        _require_clients(notebook)
        if request.runbook.notebooks.count(notebook) > 1:
            raise UsageError(f"runbook '{request.runbook.name}' names {notebook.key} twice; name it once")
    return [outline(notebook) for notebook in request.runbook.notebooks]


def kernel_of(notebook: Notebook) -> tuple[str, Path]:
    """The kernel that a notebook asks for, and the folder in which it runs."""
    return kernel_name(notebook.metadata), notebook.path.resolve().parent


def kernel_name(metadata: Any) -> str:
    """The name of the kernelspec that a notebook's metadata ask for."""
    return str(metadata.get("kernelspec", {}).get("name", "python3"))


def _require_kernel(notebook: Notebook) -> None:
    name = kernel_name(notebook.metadata)
    if name == "python3":
        return
    try:
        KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        raise UsageError(
            f"{shown(notebook.path)} asks for the kernel '{name}', which is not installed; "
            f"set its kernel to 'python3' in JupyterLab and save it"
        ) from None


def _require_clients(notebook: Notebook) -> None:
    """Google's clients are an extra of this package; everything else that its notebooks import comes with it."""
    for module in notebook.imports:
        if module.startswith("google.") and not _installed(module):
            raise UsageError(
                f"{shown(notebook.path)} imports {module}, which is not installed; "
                "install Google's clients with: pip install -e '.[gcp]'"
            )


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False
