"""The statements of a cell: the names that each sets, changes and reads."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from hmr_edu.course.grading.plain import plain
from hmr_edu.course.grading.stub import is_open

# Calls that change what they get and whose value is used all the same; names in `_` are others.
CHANGING = {"append", "appendleft", "clear", "extend", "heappop", "heappush", "insert", "next"}
CHANGING |= {"pop", "popitem", "popleft", "remove", "reverse", "setdefault", "sort", "update"}
HARMLESS = set(dir(builtins)) - {"delattr", "next", "setattr"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a cell, the names it sets, and those it reads.

    `touches` are names that it hands to a call, or calls a method of: the call may change them.
    `now` is read when the statement runs, `later` when a function that it defines is called. A
    statement `replaces` when what the names were before no longer matters.
    """

    text: str
    node: ast.stmt
    sets: frozenset[str]
    touches: frozenset[str]
    replaces: bool
    now: frozenset[str]
    later: frozenset[str]
    is_function: bool
    is_import: bool
    is_open: bool  # an exercise that nobody has written yet

    @property
    def is_fixed(self) -> bool:
        """A function or an import: to be handed to a call does not change it."""
        return self.is_function or self.is_import


def statements(cell: str) -> list[Statement]:
    """Take a cell apart, as IPython would run it. Raises SyntaxError.

    A statement that no Python runs, such as a `return` outside of a function, is left out.
    """
    source = plain(cell)
    lines, last, found = source.split("\n"), 0, []
    body = ast.parse(source).body
    begins = [min([n.lineno, *(d.lineno for d in getattr(n, "decorator_list", []))]) for n in body]
    for node, start, following in zip(body, begins, [*begins[1:], len(lines) + 1], strict=False):
        text = "\n".join(lines[max(start - 1, last) : node.end_lineno])
        if start <= last or following == node.end_lineno:  # `a = 1; b = 2`
            text = ast.get_source_segment(source, node) or ""
        last = max(last, node.end_lineno or 0)
        if _misplaced(node):
            break
        if runs(node):
            found.append(_statement(node, text))
    return found


def runs(node: ast.stmt) -> bool:
    """Whether the statement compiles, alone and at the top level, as it is run."""
    try:
        compile(ast.Module([node], []), "cell", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _misplaced(node: ast.stmt) -> bool:
    """Whether this is a `%%time` that is not the first line: there the cell ends with an error."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or called(call) != "run_line_magic" or not call.args:
        return False
    return str(getattr(call.args[0], "value", "")).startswith("%")


def _statement(node: ast.stmt, text: str) -> Statement:
    table = symtable.symtable(text, "cell", "exec")
    now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    # From Python 3.12 on, symtable also counts the names that comprehensions have for themselves.
    now &= set(_read_here(node))
    added = [inner.target for inner in at_once(node) if isinstance(inner, ast.AugAssign)]
    now |= {target.id for target in added if isinstance(target, ast.Name)}
    if isinstance(node, ast.For):  # what it counts with is its own
        now -= names_in(node.target) - names_in(node.iter)
    later = {name for child in table.get_children() for name in _globals(child)}
    is_function = isinstance(node, FUNCTION)
    if not is_function and not (isinstance(node, ast.Assign) and _is_lambda(node.value)):
        now |= later  # a comprehension or a class runs at once
    return Statement(
        text,
        node,
        sets=frozenset(_sets(node)),
        touches=frozenset(_touches(node)),
        replaces=_replaces(node),
        now=frozenset(now),
        later=frozenset(later),
        is_function=is_function,
        is_import=isinstance(node, ast.Import | ast.ImportFrom),
        is_open=isinstance(node, FUNCTION) and is_open(node),
    )


def _read_here(node: ast.AST, hidden: frozenset[str] = frozenset()) -> Iterator[str]:
    """Names that are read outside of functions, lambdas and classes, and set by no comprehension.

    Names that a statement adds to are not among them.
    """
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in hidden:
            yield node.id
        return
    parts: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, FUNCTION):
        parts = [*node.decorator_list, node.args, *filter(None, [node.returns])]
    elif isinstance(node, ast.Lambda):
        parts = [node.args]
    elif isinstance(node, ast.ClassDef):
        parts = [*node.decorator_list, *node.bases, *node.keywords]
    elif isinstance(node, Comprehension):
        first, *others = (part.iter for part in node.generators)
        yield from _read_here(first, hidden)  # before the comprehension begins
        hidden = hidden.union(*(names_in(part.target) for part in node.generators))
        parts = [part for part in parts if not isinstance(part, ast.comprehension)]
        parts += [*others, *(test for part in node.generators for test in part.ifs)]
    for part in parts:
        yield from _read_here(part, hidden)


def names_in(node: ast.AST) -> set[str]:
    """Return all names in an expression."""
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _is_lambda(node: ast.AST) -> bool:
    return isinstance(node, ast.Lambda)


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
    for inner in at_once(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            shell = str(getattr(inner, "module", "")).startswith("IPython")
            names = ((alias.asname or alias.name).split(".")[0] for alias in inner.names)
            # Outside of IPython its shell is None.
            yield from (name for name in names if not (shell and name == "get_ipython"))
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.MatchAs | ast.MatchStar) and inner.name:
            yield inner.name
        elif isinstance(inner, ast.MatchMapping) and inner.rest:
            yield inner.rest
        elif isinstance(inner, ast.ExceptHandler) and inner.name:
            yield inner.name
        elif is_part(inner):
            yield from base(inner)
    # `torch.set_default_dtype(...)` changes a module, too.
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        method = node.value.func
        if isinstance(method, ast.Attribute) and isinstance(method.value, ast.Name):
            yield method.value.id


def is_part(node: ast.AST) -> bool:
    """Whether a part of something is given a value or deleted: `a[0] = ...`, `del a.b`."""
    return isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load)


def _touches(node: ast.AST) -> Iterator[str]:
    """Names that calls in the statement may change.

    A call whose value is used seldom does: all of them together are most of a lesson.
    """
    for inner in at_once(node):
        if isinstance(inner, ast.Expr):  # its value is not used: it is there to change something
            calls = [call for call in at_once(inner) if isinstance(call, ast.Call)]
            calls = [call for call in calls if called(call) not in HARMLESS]
            # `count()`: what is no function may count its calls
            yield from (call.func.id for call in calls if isinstance(call.func, ast.Name))
        else:
            calls = [inner] if isinstance(inner, ast.Call) and changes(inner) else []
        for call in calls:
            yield from base(call.func)
            for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
                argument = argument.value if isinstance(argument, ast.Starred) else argument
                yield from base(ast.Attribute(argument, "data"))
        yield from _touched_in_turn(inner)


def _touched_in_turn(node: ast.AST) -> Iterator[str]:
    """`for row in rows: row.append(0)` changes the rows."""
    loops: list[tuple[ast.expr, ast.expr, list[ast.AST]]] = []
    if isinstance(node, ast.For):
        loops = [(node.target, node.iter, [*node.body])]
    elif isinstance(node, Comprehension):
        parts = [getattr(node, name, None) for name in ("elt", "key", "value")]
        body = [ast.Expr(part) for part in parts if isinstance(part, ast.Call) and changes(part)]
        loops = [(loop.target, loop.iter, [*body]) for loop in node.generators]
    for target, source, inside in loops:
        changed = {name for inner in inside for name in _touches(inner)}
        parts = [part for inner in inside for part in at_once(inner) if is_part(part)]
        changed |= {name for part in parts for name in base(part)}
        if changed & names_in(target):
            yield from names_in(source) - HARMLESS


def changes(call: ast.Call) -> bool:
    """Whether a call changes what it gets, though its value is used."""
    return called(call) in CHANGING or bool(re.search(r"[^_]_$", called(call)))


def called(call: ast.Call) -> str:
    """Name of the function or of the method."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


@lru_cache(maxsize=4096)
def at_once(node: ast.AST) -> tuple[ast.AST, ...]:
    """Return the node and what is in it, except for what runs only when a function is called."""
    found, waiting = list[ast.AST](), [node]
    while waiting:
        inner = waiting.pop()
        found.append(inner)
        if not isinstance(inner, FUNCTION):
            waiting += ast.iter_child_nodes(inner)
    return tuple(found)


def base(node: ast.AST) -> Iterator[str]:
    """Yield the name in front of dots, brackets and calls, if there is one."""
    dotted = isinstance(node, ast.Attribute | ast.Subscript)
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return
        node = node.func if isinstance(node, ast.Call) else node.value
    if dotted and isinstance(node, ast.Name):
        yield node.id
