"""A slice of a notebook computes what the whole notebook does, and leaves the rest out."""

import pytest
import torch

from hmr_edu.course.grading.slices import needed

# Cells, and what `f()` gives when all of them run in order.
SAME = {
    "a remainder that begins a line": (
        "def f(a=7):\n    return (\n        (a + 3)\n        % 4\n        - 1\n    )",
        1,
    ),
    "an inequality that begins a line": ("def f(a=2, b=2):\n    return (a\n        != b)", False),
    "a magic above it": ("%matplotlib inline\ndef f(a=7):\n    return (a\n        % 4)", 3),
    "a shell line in it": ("def f():\n    !ls\n    return 1", 1),
    "filled in a loop": (
        "xs = []\nfor k in range(3):\n    xs.append(k)\ndef f(): return xs",
        [0, 1, 2],
    ),
    "filled if": ("xs = []\nif True:\n    xs.append(1)\ndef f(): return xs", [1]),
    "filled below with": (
        "import contextlib\nxs = []\nwith contextlib.suppress(KeyError):\n    xs.append(1)\n"
        "def f(): return xs",
        [1],
    ),
    "a star import": ("from math import *\ndef f(): return hypot(3, 4)", 5.0),
    "a star import in an if": ("if True:\n    from math import *\ndef f(): return gcd(4, 6)", 2),
    "matched": (
        "match [1, 2, {'a': 3}]:\n    case [x, *_, {**rest}]:\n        pass\n"
        "def f(): return x, rest",
        (1, {"a": 3}),
    ),
    "matched whole": (
        "match [1, 2]:\n    case [1, *xs] as pair:\n        pass\ndef f(): return xs, pair",
        ([2], [1, 2]),
    ),
    "a submodule": (
        "import xml.etree\nimport xml\ndef f(): return xml.etree.__name__",
        "xml.etree",
    ),
    "filled by its data": (
        "import torch\nw = torch.zeros(1)\nw.data.fill_(3)\ndef f(): return w.item()",
        3.0,
    ),
    "filled by a function": (
        "import torch\nw = torch.ones(1)\ntorch.nn.init.zeros_(w)\ndef f(): return w.item()",
        0.0,
    ),
    "filled by a function, whose value is kept": (
        "import torch\nw = torch.ones(1)\nsame = torch.nn.init.zeros_(w)\ndef f(): return w.item()",
        0.0,
    ),
    "shuffled": (
        "import random\nxs = list(range(9))\nrandom.seed(0)\nrandom.shuffle(xs)\n"
        "def f(): return xs",
        [7, 5, 1, 3, 4, 2, 0, 8, 6],
    ),
    "taken out": ("xs = [1, 2]\nlast = xs.pop()\ndef f(): return xs", [1]),
    "on one line": ("xs = [1]; ys = [2]; xs.append(3)\ndef f(): return xs, ys", ([1, 3], [2])),
    "last on a line": ("x = 1; y = 2\ndef f(): return y", 2),
    "deleted": ("xs = [1, 2]\ndel xs[0]\ndef f(): return xs", [2]),
}
# What does not matter to f stays out: it may be a training that takes minutes, or an open exercise.
OUT = {
    "the value of a call": "y = slow(x)",
    "printing": "print(x)",
    "a function that is handed on": "slow(g)",
    "a module's function": "z = torch.zeros(slow(3))",
    "a figure": "for k in range(3):\n    torch.show(slow(k))",
    "what came before": "x = slow(0)",
}


@pytest.mark.parametrize("kind", SAME)
def test_a_slice_gives_what_the_notebook_gives(kind):
    cell, wanted = SAME[kind]
    names = {}
    exec(needed([cell], "f"), names)
    assert names["f"]() == wanted


@pytest.mark.parametrize("kind", OUT)
def test_what_does_not_matter_is_left_out(kind):
    before, after = (OUT[kind], "pass") if "before" in kind else ("pass", OUT[kind])
    cells = [
        "import torch",
        before,
        "x = [1]",
        after,
        "def g(): return x\ndef f(): return torch, g()",
    ]
    source = needed(cells, "f")
    assert "slow" not in source
    assert "print" not in source
    names = {}
    exec(source, names)
    assert names["f"]() == (torch, [1])
