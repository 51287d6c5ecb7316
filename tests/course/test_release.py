"""What is handed out gives no answer away, whatever the problem set."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from hmr_edu.course.grading.release import problem_sets, with_graded_cells
from hmr_edu.course.grading.stub import has_solution, open_exercise

SETS = problem_sets(Path(__file__).parents[2] / "notebooks")
LEAST = 12  # nodes of an expression that is worth copying
# What a lesson shows for another purpose, and is one step of the answer only.
STEPS = {
    "affine_residual": "least squares, also used to plot",
    "half_turn_axis": "choosing the best row, which the lesson does again for quaternions",
    "parameter_count": "adding up four numbers",
    "pck_of_box": "the side of a box",
    "shape_blend": "the joints of a shape are the same sum; the hint gives it, too",
    "six_to_matrix": "normalising",
}


class Nameless(ast.NodeTransformer):
    """Other names, other letters in an einsum, a device more or less: it is the same thought."""

    def visit_Name(self, node):
        return ast.Name("_", ast.Load())

    def visit_Call(self, node):
        self.generic_visit(node)
        moves = isinstance(node.func, ast.Attribute) and node.func.attr == "to"
        return node.func.value if moves else node

    def visit_Constant(self, node):
        if not isinstance(node.value, str) or "->" not in node.value:
            return node
        letters: dict[str, str] = {}
        for letter in filter(str.isalpha, node.value):
            letters.setdefault(letter, chr(97 + len(letters)))
        return ast.Constant("".join(letters.get(c, c) for c in node.value))


def thoughts(source: str, whole: bool) -> set[str]:
    """Expressions of some length, without their names; `whole`: those of a whole statement."""
    source = re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)
    nodes = list(ast.walk(Nameless().visit(ast.parse(source))))
    if whole:
        nodes = [getattr(node, "value", None) for node in nodes if isinstance(node, ast.stmt)]
    expressions = [node for node in nodes if isinstance(node, ast.expr)]
    return {ast.unparse(e) for e in expressions if sum(1 for _ in ast.walk(e)) >= LEAST}


@pytest.mark.parametrize("name", SETS)
def test_no_line_of_a_solution_is_shown_elsewhere(name):
    cells = [
        cell.source
        for path in SETS[name]
        for cell in with_graded_cells(nbformat.read(path, as_version=4)).cells
        if cell.cell_type == "code"
    ]
    released = [open_exercise(source, "raise NotImplementedError") for source in cells]
    shown = set().union(*(thoughts(source, whole=False) for source in released))
    for source, stub in zip(cells, released, strict=True):
        if has_solution(source):
            function = re.search(r"def (\w+)", source)[1]
            answer = thoughts(source, whole=True) - thoughts(stub, whole=True)
            assert function in STEPS or not answer & shown, function


@pytest.mark.parametrize("source", ["", "\n\n", "# a remark", "%matplotlib inline", "!ls", "f?"])
def test_a_cell_without_a_statement_is_released(source):
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(source)]
    solved = "def skew(v):\n    ### BEGIN SOLUTION\n    return v\n    ### END SOLUTION\n\n\n"
    cells.append(nbformat.v4.new_code_cell(solved + "check_skew(skew)"))
    cells[-1].metadata["nbgrader"] = {"grade_id": "skew"}
    cells += [nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell("print(skew)")]
    released = with_graded_cells(nbformat.v4.new_notebook(cells=cells)).cells
    assert [cell.source for cell in released if cell.source == source] == [source, source]
    assert released[-1].source.startswith("# Waits for: skew")
