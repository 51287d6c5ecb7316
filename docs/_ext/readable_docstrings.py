"""Docstrings and signatures as they read in the source.

The package's docstrings are prose with `names` and `formulas` between backticks and an indented
block here and there; autodoc wants reStructuredText, where a bare | or * means something. And
signatures are taken from the source, so that a shape reads Float[Tensor, "batch 24 3 3"].
"""

import ast
import dataclasses
import inspect
import re
import sys
import textwrap
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

BACKTICKS = re.compile(r"`([^`]+)`")
NAME = re.compile(r"[A-Za-z_][\w.]*")
LIST_ITEM = re.compile(r"(-|\d+\.) ")


def as_rst(lines: list[str]) -> list[str]:
    """Return a docstring, of lines without common indentation, as reStructuredText."""
    result: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = block.split("\n")
        is_list = LIST_ITEM.match(rows[0])
        if any(row.startswith(" ") for row in rows) and not is_list:
            # Indented, all of it or its later lines: code, or a formula laid out by hand.
            result += ["::", "", *textwrap.indent(block, "    ").split("\n"), ""]
        elif is_list:
            for row in rows:
                mark = LIST_ITEM.match(row)
                if mark:
                    result += ["", mark[0] + inline(row[mark.end() :])]
                else:
                    result.append(row[: len(row) - len(row.lstrip())] + inline(row.lstrip()))
            result.append("")
        else:
            result += [*inline(block).split("\n"), ""]
    return result


def inline(text: str) -> str:
    """Return prose with `code` as reStructuredText; names become links, where they lead on."""
    parts = BACKTICKS.split(text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = re.sub(r"([\\*|_])", r"\\\1", part)
        else:
            code = " ".join(part.split())
            markup = f":py:obj:`{code}`" if NAME.fullmatch(code) else f"``{code}``"
            # Markup begins and ends at a gap; where the prose has none, an invisible one.
            before = "" if not parts[i - 1] or parts[i - 1][-1] in " \n([\"'" else "\\ "
            parts[i] = before + markup + "\\ "
    return "".join(parts)


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring in place."""
    if what in ("class", "exception") and dataclasses.is_dataclass(obj):
        generated = f"{obj.__name__}("  # what dataclasses writes where nobody wrote anything
        if lines and lines[0].startswith(generated):
            lines[:] = []
    lines[:] = as_rst(lines)


def signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, args: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Return arguments and result as written, or None to leave autodoc its own."""
    if what in ("class", "exception"):
        if dataclasses.is_dataclass(obj):
            return fields(obj), None
        if hasattr(obj, "_fields"):
            return named_fields(obj), None
        if getattr(obj, "_is_protocol", False):
            return "", None  # nobody calls it
        obj = obj.__init__
    obj = inspect.unwrap(getattr(obj, "__func__", obj))
    if not inspect.isfunction(obj):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(obj)))
    except (OSError, SyntaxError, TypeError):
        return None
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef):
        return None
    Linked(obj.__globals__).visit(function)
    # A method is called without its first argument.
    first = [*function.args.posonlyargs, *function.args.args][:1]
    if "." in obj.__qualname__ and first and first[0].arg in ("self", "cls"):
        (function.args.posonlyargs or function.args.args).pop(0)
    returned = source_of(function.returns) if function.returns and what != "class" else None
    return f"({source_of(function.args)})", returned


class Linked(ast.NodeTransformer):
    """Names of the package's classes with their module, so that a link finds the right one."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Look at the annotations and at nothing else."""
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in [*every, arguments.vararg, arguments.kwarg]:
            if argument and argument.annotation:
                argument.annotation = self.visit(argument.annotation)
        if node.returns:
            node.returns = self.visit(node.returns)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put the module before a class of ours."""
        cls = self.names.get(node.id)
        module = getattr(cls, "__module__", "")
        if not isinstance(cls, type) or not module.startswith("hmr_edu."):
            return node
        return ast.parse(f"{module}.{cls.__qualname__}", mode="eval").body


def fields(cls: type) -> str:
    """Return a dataclass's fields as the arguments they are."""
    texts = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        text = f"{field.name}: {annotation_of(cls, field.type)}"
        if field.default is not dataclasses.MISSING:
            text += f" = {field.default!r}" if plain(field.default) else " = ..."
        elif field.default_factory is not dataclasses.MISSING:
            text += " = ..."
        texts.append(text)
    return f"({', '.join(texts)})"


def named_fields(cls: type) -> str:
    """Return a named tuple's fields as the arguments they are."""
    types = cls.__annotations__
    return f"({', '.join(f'{name}: {annotation_of(cls, types[name])}' for name in cls._fields)})"


def annotation_of(cls: type, written: Any) -> str:
    """Return a field's annotation as written, our classes with their module."""
    written = getattr(written, "__forward_arg__", written)
    text = written if isinstance(written, str) else written.__name__
    linked = Linked(vars(sys.modules[cls.__module__]))
    return source_of(linked.visit(ast.parse(text, mode="eval")))


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples: they are in the signature."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def plain(value: Any) -> bool:
    """Say whether a value's repr is Python."""
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return False
    return True


def source_of(node: ast.AST) -> str:
    """Return a node's source, strings in double quotes as in the package."""
    return re.sub(r"'([^'\"]*)'", r'"\1"', ast.unparse(node))


def double_quotes(app: Sphinx, doctree: nodes.document) -> None:
    """Show strings in signatures with the quotes that the package writes."""
    for string in doctree.findall(addnodes.desc_sig_literal_string):
        text = string.astext()
        if text[:1] == text[-1:] == "'" and '"' not in text:
            string.children = [nodes.Text(f'"{text[1:-1]}"')]


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to autodoc."""
    app.connect("autodoc-process-docstring", docstring)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", double_quotes)
    return {"parallel_read_safe": True}
