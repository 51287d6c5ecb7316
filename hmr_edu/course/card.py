"""The rules on an exercise's card: how its function is called, and what it may call itself.

They follow from the function and from its exercise's file, so that a card cannot say otherwise.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

PLAIN = {"int", "float", "str", "bool"}  # nobody can change such an argument in place
NO_SHORTCUT = {"lesson_01", "lesson_02"}  # where a matrix exponential would be the answer


def rules(source: str, lesson: str, uses: Sequence[str] = (), trains: Sequence[str] = ()) -> str:
    """Return the lines that the card must have, Markdown.

    Args:
        source: the cell; the last function in it is the learner's.
        lesson: the exercise's folder, "lesson_01".
        uses: the files of the package that an answer may call.
        trains: arguments that the function is there to change.
    """
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    function = functions[-1]
    known = function.args.args
    before = len(known) - len(function.args.defaults)
    values = ["", *(f"={ast.unparse(value)}" for value in function.args.defaults)]
    names = [a.arg + values[max(0, k - before + 1)] for k, a in enumerate(known)]
    order = ", in this order" * (len(names) > 1)
    lines = [f"*Call:* `{function.name}({', '.join(names)})`{order}."]
    if {ast.unparse(a.annotation) for a in known if a.annotation} - PLAIN or trains:
        left = " and ".join(f"`{a.arg}`" for a in known if a.arg not in trains)
        them = left if trains else "them"
        cost = "a change in place costs a quarter of the points"
        lines.append(f"*Arguments:* leave {them} as they are; {cost}.")
    modules = [f"`{file.removesuffix('.py').replace('/', '.')}`" for file in uses]
    package = f"only {' and '.join(modules)}" if uses else "nothing"
    torch = "PyTorch (not `matrix_exp`)" if lesson in NO_SHORTCUT else "PyTorch"
    lines.append(f"*Allowed:* NumPy, {torch}, what this notebook defines; of `hmr_edu` {package}.")
    return "\n".join(lines)
