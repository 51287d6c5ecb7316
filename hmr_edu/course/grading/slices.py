"""What a function of a notebook needs: its own statements and those that they depend on.

Grading runs these and nothing else. A lesson's training runs and figures cost no time then, and
a cell that never ends harms only the functions that depend on it.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import symtable
import tokenize
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

# Calls that change what they get and whose value is used all the same; names in `_` are others.
CHANGING = {"heappop", "next", "pop", "popitem", "setdefault"}
HARMLESS = set(dir(builtins)) - {"delattr", "next", "setattr"}


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a cell, the names it sets, and those it reads.

    `touches` are names that it hands to a call, or calls a method of: the call may change them.
    `now` is read when the statement runs, `later` when a function that it defines is called. A
    statement `replaces` when what the names were before no longer matters.
    """

    text: str
    sets: frozenset[str]
    touches: frozenset[str]
    replaces: bool
    now: frozenset[str]
    later: frozenset[str]
    is_function: bool
    is_fixed: bool  # a function or an import: to be handed to a call does not change it


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
    # Nobody knows what a star import sets: all of them stay.
    asked, open_questions = set[tuple[str, int]](), [(name, end), ("*", end)]
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
    touching = list[int]()
    for number in reversed(range(before)):
        statement = statements[number]
        if name in statement.sets:
            yield number
            if statement.is_fixed:
                touching = []
            if statement.replaces:
                break
        elif name in statement.touches:
            touching.append(number)
    yield from touching


def _plain(cell: str) -> str:
    """Take magics and shell lines out: grading has neither."""
    with suppress(SyntaxError):
        ast.parse(cell)  # Python as it is: `% 2` or `!= b` may begin a line
        return cell
    if cell.startswith("%%"):
        return ""
    plain = list[str]()
    for line in cell.splitlines():
        magic = line.lstrip().startswith(("%", "!")) and not _goes_on(plain)
        plain.append("" if magic else line)
    return "\n".join(plain)


def _goes_on(lines: Sequence[str]) -> bool:
    """Whether a bracket or a long string is open at the end of these lines."""
    try:
        list(tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline))
    except tokenize.TokenError as error:
        return "multi-line" in str(error.args[0])
    except SyntaxError:
        pass
    return False


def statements(cell: str) -> list[Statement]:
    """Take a cell apart; magics and shell lines are left out. Raises SyntaxError."""
    source = _plain(cell)
    lines, last, found = source.splitlines(), 0, []
    body = ast.parse(source).body
    begins = [min([n.lineno, *(d.lineno for d in getattr(n, "decorator_list", []))]) for n in body]
    for node, start, following in zip(body, begins, [*begins[1:], len(lines) + 1], strict=True):
        text = "\n".join(lines[max(start - 1, last) : node.end_lineno])
        if start <= last or following == node.end_lineno:  # `a = 1; b = 2`
            text = ast.get_source_segment(source, node) or ""
        last = max(last, node.end_lineno or 0)
        table = symtable.symtable(ast.unparse(node), "cell", "exec")
        now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
        if isinstance(node, ast.For):  # what it counts with is its own
            now -= _names(node.target) - _names(node.iter)
        later = {name for child in table.get_children() for name in _globals(child)}
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if not is_function:
            now |= later  # a comprehension or a class runs at once
        found.append(
            Statement(
                text,
                sets=frozenset(_sets(node)),
                touches=frozenset(_touches(node)),
                replaces=_replaces(node),
                now=frozenset(now),
                later=frozenset(later),
                is_function=is_function,
                is_fixed=is_function or isinstance(node, ast.Import | ast.ImportFrom),
            )
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
    # An import does not: the module stays what it is, with its settings and other submodules.
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _sets(node: ast.AST) -> Iterator[str]:
    """Names that the statement gives a value, or a part of one."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    for inner in _at_once(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in inner.names)
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.MatchAs | ast.MatchStar) and inner.name:
            yield inner.name
        elif isinstance(inner, ast.MatchMapping) and inner.rest:
            yield inner.rest
        elif isinstance(inner, ast.Subscript | ast.Attribute) and not isinstance(
            inner.ctx, ast.Load
        ):
            yield from _base(inner)
    # `torch.set_default_dtype(...)` changes a module, too.
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        method = node.value.func
        if isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name):
            yield method.value.id


def _touches(node: ast.AST) -> Iterator[str]:
    """Names that calls in the statement may change.

    A call whose value is used seldom does: all of them together are most of a lesson.
    """
    for inner in _at_once(node):
        if isinstance(inner, ast.Expr):  # its value is not used: it is there to change something
            calls = [call for call in _at_once(inner) if isinstance(call, ast.Call)]
            calls = [call for call in calls if _called(call) not in HARMLESS]
        else:
            changes = isinstance(inner, ast.Call) and (
                _called(inner) in CHANGING or re.search(r"[^_]_$", _called(inner))
            )
            calls = [inner] if changes else []
        for call in calls:
            yield from _base(call.func)
            for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
                argument = argument.value if isinstance(argument, ast.Starred) else argument
                yield from _base(ast.Attribute(argument, "data"))


def _called(call: ast.Call) -> str:
    """Name of the function or of the method."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and what is in it, except for what runs only when a function is called."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for inner in ast.iter_child_nodes(node):
            yield from _at_once(inner)


def _base(node: ast.expr) -> Iterator[str]:
    """Yield the name in front of dots, brackets and calls, if there is one."""
    dotted = isinstance(node, ast.Attribute | ast.Subscript)
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return
        node = node.func if isinstance(node, ast.Call) else node.value
    if dotted and isinstance(node, ast.Name):
        yield node.id
