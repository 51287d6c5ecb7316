"""Making the committed form of a lesson: executed in order, without what changes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from hmr_edu.io.files import atomic_write

# What Jupyter adds and nobody reads; it would differ from one machine to the next.
VOLATILE = ("execution", "widgets", "papermill", "vscode")
CELL_SECONDS = 300
# A widget lives in a kernel. A committed notebook has none, and JupyterLab would show an error.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def execute(path: Path, seconds: int = CELL_SECONDS) -> None:
    """Run a notebook from top to bottom in its own folder and write it back, as we commit it.

    Raises nbclient's CellExecutionError when a cell fails; the file is left as it was then.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    settle(notebook)
    with atomic_write(path) as temporary:
        nbformat.write(notebook, temporary)


def settle(notebook: nbformat.NotebookNode) -> None:
    """Take out what varies without a reason, and widgets: times, state, Python's patch version."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"
        for key in VOLATILE:
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _lasts(output)]
            _join_streams(cell)


def _lasts(output: nbformat.NotebookNode) -> bool:
    """Take a widget out of an output; False when only its name is left."""
    data = output.get("data", {})
    return data.pop(WIDGET_VIEW, None) is None or set(data) != {"text/plain"}


def _join_streams(cell: nbformat.NotebookNode) -> None:
    """Put printed pieces together: how a stream is cut up depends on the machine's speed."""
    joined: list[nbformat.NotebookNode] = []
    for output in cell.outputs:
        last = joined[-1] if joined else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            joined.append(output)
    cell.outputs = joined


def execute_all(paths: Sequence[Path]) -> None:
    """Execute several notebooks, one after the other, saying which."""
    from tqdm import tqdm

    for path in (bar := tqdm(paths, unit="notebook")):
        bar.set_description(path.stem)
        execute(path)
