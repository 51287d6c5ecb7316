"""What a function of a notebook needs: its own statements and those that they depend on.

Grading runs these and nothing else. A lesson's training runs and figures cost no time then, and
a cell that never ends harms only the functions that depend on it.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a cell, the names it sets, and those it reads.

    `now` is read when the statement runs, `later` when a function that it defines is called. A
    statement `replaces` when what the names were before no longer matters.
    """

    text: str
    sets: frozenset[str]
    replaces: bool
    now: frozenset[str]
    later: frozenset[str]
    is_function: bool


def needed(cells: Sequence[str], name: str) -> str:
    """Return the source, in the cells' order, that defines `name` and all it depends on.

    Cells that are no Python are left out. Raises NameError when nothing defines the name, saying
    which cell could not be read if that is why.
    """
    found, broken = list[Statement](), ""
    for cell in cells:
        try:
            found += statements(cell)
        except (SyntaxError, ValueError, RecursionError) as error:
            if f"def {name}" in cell:
                line = getattr(error, "lineno", None)
                broken = f"its cell is not Python: {error.args[0]}" + f" (line {line})" * bool(line)
    if not any(name in statement.sets for statement in found):
        raise NameError(broken or f"no function named {name}")
    end, chosen = len(found), set[int]()
    asked, open_questions = set[tuple[str, int]](), [(name, end)]
    while open_questions:
        question = open_questions.pop()
        if question in asked:
            continue
        asked.add(question)
        for number in _setters(found, *question):
            chosen.add(number)
            open_questions += [(read, number) for read in found[number].now]
            open_questions += [(read, end) for read in found[number].later]
    return "\n".join(found[number].text for number in sorted(chosen)) + "\n"


def _setters(statements: Sequence[Statement], name: str, before: int) -> Iterator[int]:
    """Yield the statements that made the name what it is before this one."""
    for number in reversed(range(before)):
        if name in statements[number].sets:
            yield number
            if statements[number].replaces:
                return


def _plain(cell: str) -> str:
    """Take magics and shell lines out of a cell that is not Python: grading has neither."""
    with suppress(SyntaxError):
        ast.parse(cell)  # `% 2` and `!= b` can begin a line of an expression
        return cell
    if cell.startswith("%%"):
        return ""
    lines, plain = cell.splitlines(), list[str]()
    for line in lines:
        ...
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def statements(cell: str) -> list[Statement]:
    """Take a cell apart; magics and shell lines are left out. Raises SyntaxError."""
    source = _plain(cell)
    lines, last, found = source.splitlines(), 0, []
    for node in ast.parse(source).body:
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        text = "\n".join(lines[max(start - 1, last) : node.end_lineno])
        last = max(last, node.end_lineno or 0)
        table = symtable.symtable(ast.unparse(node), "cell", "exec")
        now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
        if isinstance(node, ast.For):  # what it counts with is its own
            now -= _names(node.target) - _names(node.iter)
        later = {name for child in table.get_children() for name in _globals(child)}
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if not is_function:
            now |= later  # a comprehension or a class runs at once
        sets = frozenset(_sets(node))
        found.append(
            Statement(text, sets, _replaces(node), frozenset(now), frozenset(later), is_function)
        )
    return found


def _names(node: ast.expr) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that a function (or what is inside it) reads from outside."""
    for symbol in table.get_symbols():
        if symbol.is_global():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


def _replaces(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    definitions = ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
    return isinstance(node, definitions)


def _sets(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield (alias.asname or alias.name).split(".")[0]
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.FunctionDef | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            yield from _sets(inner)
        elif isinstance(inner, ast.Subscript | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            yield from _base(inner)
    # `table.append(...)`, `torch.set_default_dtype(...)`: a method may change its object.
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        method = node.value.func
        if isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name):
            yield method.value.id


def _base(node: ast.expr) -> Iterator[str]:
    """The name in front of dots and brackets, if there are any."""
    dotted = isinstance(node, ast.Attribute | ast.Subscript)
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if dotted and isinstance(node, ast.Name):
        yield node.id
