"""What a call changes besides giving a value: `global n; n += 1`, or a list that it fills.

Found by reading the functions of a notebook, those of libraries not. Where a function's name is
read, it may be called.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hmr_edu.course.grading.statements import (
    FUNCTION,
    HARMLESS,
    Statement,
    at_once,
    base,
    called,
    changes,
    is_part,
)

CALLED = "()"  # what is called here and is no function: an object with `__call__`


@dataclass
class _Function:
    """A function, or a statement, which is one without parameters."""

    parameters: list[str]
    defaults: dict[str, str]
    outside: frozenset[str]  # the names that it reads from the notebook
    calls: list[tuple[str, list[str], dict[str, str]]]
    changed: set[str] = field(default_factory=set)  # of its own names
    effects: set[str] = field(default_factory=set)  # of the notebook's names


def effects(found: Sequence[Statement]) -> list[frozenset[str]]:
    """Return the names that each statement changes through the functions that it calls."""
    functions: dict[str, list[_Function]] = defaultdict(list)
    runs = []
    for statement in found:
        for name, function in _functions(statement):
            functions[name].append(function)
        runs.append(_Function([], {}, statement.now, [*_calls(at_once(statement.node))]))
    if not functions:
        return [frozenset()] * len(found)
    every = [function for named in functions.values() for function in named]
    while any([_spread(function, functions) for function in every]):
        pass
    modules = {name for s in found if s.is_import for name in s.sets}
    for run in runs:
        _spread(run, functions)
    return [frozenset(run.effects | run.changed) - modules for run in runs]


def aliases(found: Sequence[Statement]) -> Mapping[str, frozenset[str]]:
    """Map names to others for the same thing, or a part of it: `ys = xs`, `row = rows[0]`."""
    groups: dict[str, set[str]] = {}
    fixed = {name for s in found if s.is_fixed for name in s.sets}
    for statement in found:
        node = statement.node
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        same = {target.id for target in targets if isinstance(target, ast.Name)}
        same |= set(_same(node.value)) - fixed if same else set()
        if len(same) > 1:
            group = set(same).union(*(groups.get(name, set()) for name in same))
            groups |= dict.fromkeys(group, group)
    return {name: frozenset(group) for name, group in groups.items()}


def _same(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute | ast.Subscript):
        yield from _same(node.value)
    elif isinstance(node, ast.List | ast.Tuple):
        for inner in node.elts:
            yield from _same(inner)
    elif isinstance(node, ast.Dict):
        for inner in node.values:
            yield from _same(inner)


def _functions(statement: Statement) -> Iterator[tuple[str, _Function]]:
    """Yield the functions that a statement defines by what a call of them looks like."""
    node = statement.node
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        for name in statement.sets:
            yield name, _function(node.value, statement)
        return
    for inner in [node] if isinstance(node, FUNCTION) else at_once(node):
        if isinstance(inner, FUNCTION):
            yield inner.name, _function(inner, statement)
        elif isinstance(inner, ast.ClassDef):
            for method in inner.body:
                if isinstance(method, FUNCTION):
                    function = _function(method, statement)
                    if method.name == "__init__":  # it is called by the class, without `self`
                        del function.parameters[:1]
                    named = {"__init__": inner.name, "__call__": CALLED}
                    yield named.get(method.name, f".{method.name}"), function


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, of: Statement):
    arguments = node.args
    positional = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
    given = zip(reversed(positional), reversed(arguments.defaults), strict=False)
    defaults = {name: value.id for name, value in given if isinstance(value, ast.Name)}
    inside = [*ast.walk(node)]
    outside = of.later | of.now
    function = _Function(positional, defaults, outside, [*_calls(inside)])
    for inner in inside:
        if isinstance(inner, ast.Global):
            function.effects.update(inner.names)
        function.changed.update(_changed(inner))
    own = set(positional) | {a.arg for a in arguments.kwonlyargs}
    function.effects |= (function.changed & outside) - own
    return function


def _changed(node: ast.AST) -> Iterator[str]:
    """Names of which this changes a part, or calls a method without using its value."""
    if is_part(node):
        yield from base(node)
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from base(node.value.func)
    elif isinstance(node, ast.Call) and changes(node):
        yield from base(node.func)
        if isinstance(node.func, ast.Name):  # next(it)
            for argument in node.args[:1]:
                yield from base(ast.Attribute(argument, "data"))


def _calls(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield what is called, and the names that it gets; "" where that is no name."""
    for node in nodes:
        if isinstance(node, ast.Call):
            given = [_name(argument) for argument in node.args]
            options = {k.arg: _name(k.value) for k in node.keywords if k.arg}
            if isinstance(node.func, ast.Attribute):
                yield f".{node.func.attr}", [_name(node.func.value), *given], options
            elif called(node) not in HARMLESS:
                yield called(node), given, options


def _name(node: ast.expr) -> str:
    return next(base(ast.Attribute(node, "data")), "")


def _spread(caller: _Function, functions: Mapping[str, Sequence[_Function]]) -> bool:
    """Add to a function what those that it calls change; whether that is news."""
    before = len(caller.changed) + len(caller.effects)
    for name in caller.outside:
        for function in functions.get(name, ()):
            caller.effects |= function.effects
    for name, given, options in caller.calls:
        meant, arguments = functions.get(name, ()), given
        if not meant and not name.startswith("."):
            meant, arguments = functions.get(CALLED, ()), [name, *given]
        for function in meant:
            if name.startswith("."):
                caller.effects |= function.effects
            got = dict(zip(function.parameters, arguments, strict=False)) | options
            for parameter in function.parameters:
                if parameter in function.changed:
                    value = got.get(parameter)
                    if value is None and parameter in function.defaults:
                        caller.effects.add(function.defaults[parameter])
                    elif value:
                        caller.changed.add(value)
    caller.effects |= (caller.changed & caller.outside) - set(caller.parameters)
    return len(caller.changed) + len(caller.effects) > before
