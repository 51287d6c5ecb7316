"""Change the code a little, everywhere, and see whether the tests notice.

    pip install cosmic-ray
    python scripts/mutation/run.py rotations --out mutation.json

makes mutants of `hmr_edu/rotations.py`, one small change each (cosmic-ray's operators), and runs
the tests of that module on each, until one fails. A mutant that passes them all survives: a test is
missing, or the change changes nothing. Each mutant runs in a fork of this process, which has
imported the libraries but not `hmr_edu`; the mutated file is in a copy of the package.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import tyro
from tqdm import tqdm

ROOT = Path(__file__).parents[2]
# The module's file, and the tests that are to notice.
MODULES = {
    "rotations": (
        "rotations.py",
        "geometry/test_rotations.py geometry/test_derivatives.py geometry/test_precision.py",
    ),
    "camera": ("camera.py", "geometry/test_camera.py geometry/test_ray.py"),
    "crop": ("crop.py", "geometry/test_crop.py"),
    "theta": ("theta.py", "geometry/test_theta.py"),
    "keypoints": ("keypoints.py", "geometry/test_keypoints.py"),
    "smpl": ("body/smpl.py", "body/test_smpl.py geometry/test_derivatives.py"),
    "regressor": ("regressor.py", "model/test_regressor.py"),
    "discriminator": ("discriminator.py", "model/test_discriminator.py geometry/test_losses.py"),
    "losses": ("losses.py", "geometry/test_losses.py geometry/test_derivatives.py"),
    "metrics": ("metrics.py", "geometry/test_metrics.py"),
    "flip_test": ("fitting/flip_test.py", "fitting/test_flip_test.py fitting/test_lifting.py"),
    "smoothing": ("fitting/smoothing.py", "fitting/test_smoothing.py"),
    "smplify": ("fitting/smplify.py", "fitting/test_fitting.py"),
    "refining": ("fitting/refining.py", "fitting/test_refining.py"),
    "check": ("course/check.py", "course/test_check.py course/test_answers.py"),
}
# Small changes that people make. Others, like + to <<, fail at once on tensors.
SWAPS = ["Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul", "FloorDiv_Mul", "Mod_Mul"]
COMPARED = ["Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq", "Lt_Gt", "Gt_Lt"]
COMPARED += ["Is_IsNot", "IsNot_Is"]
OPERATORS = [
    *(f"ReplaceBinaryOperator_{swap}" for swap in SWAPS),
    *(f"ReplaceComparisonOperator_{swap}" for swap in COMPARED),
    *("ReplaceBinaryOperator_BitAnd_BitOr", "ReplaceBinaryOperator_BitOr_BitAnd"),
    *("ReplaceUnaryOperator_USub_UAdd", "ReplaceUnaryOperator_Delete_Invert"),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceAndWithOr", "ReplaceOrWithAnd", "AddNot"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "NumberReplacer", "RemoveDecorator"),
    *("ZeroIterationForLoop", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
]
# What every test imports, but for hmr_edu.
LIBRARIES = ["numpy", "scipy.spatial.transform", "torch", "hypothesis", "jaxtyping", "beartype"]
LIBRARIES += [
    "PIL.Image",
    "numba",
    "roma",
    "smplx",
    "trimesh",
    "matplotlib",
    "plotly",
    "accelerate",
]
MEMORY = 12 * 2**30


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield mutated sources, each with the lines that differ."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    seen, code = {source}, _code(source)
    for name in OPERATORS:
        operator, occurrence = get_operator(f"core/{name}")(), 0
        while (mutant := mutate_code(source, operator, occurrence)) is not None:
            occurrence += 1
            # Annotations are the type checker's business.
            if mutant not in seen and _code(mutant) != code:
                seen.add(mutant)
                lines = difflib.unified_diff(source.split("\n"), mutant.split("\n"), n=0)
                changed = [line for line in lines if line[:1] in "+-" and line[1:2] not in "+-"]
                if not all(line[1:].lstrip().startswith(("import ", "from ")) for line in changed):
                    yield mutant, "\n".join(changed)


def _code(source: str) -> str:
    """Return what a module does, without its annotations."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def verdict(package: Path, tests: list[str], seconds: float) -> str:
    """Run the tests in a fork on a copy of the package; return what became of the mutant."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.setsid()
        sys.path.insert(0, str(package.parent))
        os.chdir(ROOT)
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        # Libraries that bring a plugin of pytest are imported already.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        os._exit(int(pytest.main([*options, *tests])))
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return "survived" if status == 0 else "killed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "endless"


def run(name: str, chosen: slice, record: dict[str, Any], out: Path) -> None:
    """Try the mutants of a module that the record does not hold yet."""
    file, words = MODULES[name]
    source = (ROOT / "hmr_edu" / file).read_text()
    tests = [str(ROOT / "tests" / word) for word in words.split()]
    row = record.setdefault(name, {"tests": words.split(), "killed": {}, "survived": [], "done": 0})
    with tempfile.TemporaryDirectory() as place:
        package = Path(place) / "hmr_edu"
        shutil.copytree(ROOT / "hmr_edu", package, ignore=shutil.ignore_patterns("__pycache__"))
        began = time.monotonic()
        if verdict(package, tests, 3600) != "survived":
            raise RuntimeError(f"{name}: the tests fail on the code as it is")
        limit = 30 + 5 * (time.monotonic() - began)
        tried = list(mutants(source))[chosen]
        for mutant, changed in tqdm(tried[row["done"] :], name, unit="mutant"):
            (package / file).write_text(mutant)
            result = verdict(package, tests, limit)
            row["done"] += 1
            if result == "survived":
                row["survived"].append(changed)
            else:
                row["killed"][result] = row["killed"].get(result, 0) + 1
            if row["done"] % 10 == 0 or row["done"] == len(tried):
                out.write_text(json.dumps(record, indent=1))


def main(
    modules: Annotated[tuple[str, ...], tyro.conf.Positional] = tuple(MODULES),
    every: int = 1,
    first: int = 0,
    out: Path = Path("mutation.json"),
) -> None:
    """Try mutants and write a record, which a second call goes on with.

    Args:
        modules: names from MODULES.
        every: try each so many-th mutant only.
        first: begin with this one: another number, other mutants, and another record.
        out: the record.
    """
    for library in LIBRARIES:
        importlib.import_module(library)
    import torch

    torch.set_num_threads(1)
    record: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    for name in modules:
        run(name, slice(first, None, every), record, out)
    print("| module | mutants | killed | survived | score |\n|---|---|---|---|---|")
    for name, row in record.items():
        killed = sum(row["killed"].values())
        left = len(row["survived"])
        print(f"| {name} | {row['done']} | {killed} | {left} | {killed / row['done']:.0%} |")


if __name__ == "__main__":
    tyro.cli(main)
