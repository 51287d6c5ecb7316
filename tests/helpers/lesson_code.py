"""What a committed lesson defines: its own functions, pulled out to be tested."""

import ast
from pathlib import Path
from typing import Any

import nbformat


def definitions(path: Path, *names: str) -> dict[str, Any]:
    """Return the named functions (or constants) of a lesson, after running its imports.

    Only imports and the definitions asked for are run, in the lesson's order, so that one may
    use another. Raises KeyError when the lesson defines no such name.
    """
    cells = nbformat.read(path, as_version=4).cells
    found: dict[str, Any] = {}
    for cell in cells:
        if cell.cell_type != "code":
            continue
        for node in ast.parse(cell.source).body:
            wanted = isinstance(node, ast.Import | ast.ImportFrom)
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                wanted = node.name in names
            elif isinstance(node, ast.Assign):
                wanted = any(isinstance(t, ast.Name) and t.id in names for t in node.targets)
            if wanted:
                exec(compile(ast.Module([node], []), str(path), "exec"), found)
    missing = [name for name in names if name not in found]
    if missing:
        raise KeyError(f"{path.name} does not define {', '.join(missing)}")
    return found
