"""From a cell to the Python that Jupyter runs: IPython's own transformation, and what follows it.

Magics whose body is Python keep their body. All others, and shell lines, become calls of
`get_ipython()`, which `STANDS_IN` answers with nothing.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from contextlib import suppress
from getopt import GetoptError, getopt

from IPython.core.inputtransformer2 import TransformerManager

# Magics that run what stands below or behind them in the notebook's own names; short options.
RUNS_BELOW = {"capture", "prun", "time"}
RUNS_BEHIND = {"prun": "D:l:rs:T:q", "time": ""}
DEEPEST = 10  # `%%capture` above `%%time`, and so on
# Where `str.splitlines` ends a line and Python does not. IPython counts lines by the one and, since
# Python 3.12, tokens by the other, so it gets others in their place.
_ODD_ENDS = "\x0b\x1c\x1d\x1e\x85\u2028\u2029"
_HIDDEN = {ord(end): 0xF0000 + k for k, end in enumerate(_ODD_ENDS)}
_SHOWN = {hidden: end for end, hidden in _HIDDEN.items()}

# What IPython gives every notebook, in a line each: a function may show something, or list files.
STANDS_IN = {
    "get_ipython": "get_ipython = lambda: type('Shell', (), {'getoutput': lambda *_, **__: [], "
    "'__getattr__': lambda *_: lambda *_, **__: None})()",
    "display": "display = lambda *_, **__: None",
}


def plain(cell: str, depth: int = 0) -> str:
    r"""Return a cell's Python, its lines ended by "\n".

    A cell that is another language's (`%%bash`, `%%html`, `%%writefile`) has none. Raises
    SyntaxError where IPython cannot read the cell.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lines that end in other ways
            source = TransformerManager().transform_cell(_lines(cell).translate(_HIDDEN))
    except RuntimeError as error:  # it gives up after 500 magics
        raise SyntaxError(str(error)) from error
    whole = _cell_magic(source)
    if whole is not None:
        name, line, body = whole
        behind = _words(line, name) if name in RUNS_BEHIND else ""
        if name not in RUNS_BELOW or depth == DEEPEST or (name == "time" and behind):
            return ""
        body = body.translate(_SHOWN)
        return plain(f"{behind}\n{body}" if behind else body, depth + 1)
    return _with_timed(source.translate(_SHOWN))


def _lines(cell: str) -> str:
    r"""End lines as Python sees them: "\r" and "\r\n" end one, "\f" and U+2028 do not."""
    return cell.replace("\r\n", "\n").replace("\r", "\n")


def _cell_magic(source: str) -> tuple[str, str, str] | None:
    """Return name, line and body of the cell magic that the whole cell is, if it is one."""
    if not source.startswith("get_ipython().run_cell_magic("):
        return None
    body = ast.parse(source).body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) != 3:
        return None
    name, line, below = (getattr(argument, "value", None) for argument in call.args)
    if isinstance(name, str) and isinstance(line, str) and isinstance(below, str):
        return name, line, below
    return None


def _words(line: str, name: str) -> str:
    """Take the options of a magic off its line."""
    words = line.split()
    try:
        left = getopt(words, RUNS_BEHIND[name], ["no-raise-error"])[1]
    except GetoptError:
        left = words
    options = words[: len(words) - len(left)]
    for option in options:
        line = line[line.index(option) + len(option) :]
    return line.strip()


def _with_timed(source: str) -> str:
    """Put what `%time` times in its place: `x = %time f()` gives x its value."""
    if "run_line_magic" not in source:
        return source
    lines = source.split("\n")
    with suppress(SyntaxError):  # whoever reads the source next says so
        found = sorted(_timed(ast.parse(source)), key=lambda timed: timed[0].lineno, reverse=True)
        for call, what in found:
            if call.lineno == call.end_lineno and call.end_col_offset is not None:
                line = lines[call.lineno - 1].encode()
                line = line[: call.col_offset] + what.encode() + line[call.end_col_offset :]
                lines[call.lineno - 1] = line.decode()
    return "\n".join(lines)


def _timed(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls that stand for `%time`, and what to put there."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "run_line_magic" or len(node.args) != 2:
            continue
        name, line = (getattr(argument, "value", None) for argument in node.args)
        if name in RUNS_BEHIND and isinstance(line, str):
            what = plain(_words(line, name)).strip()
            yield node, what if id(node) in alone and what else f"({what or None})"
