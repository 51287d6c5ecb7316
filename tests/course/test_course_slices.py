"""A slice of a notebook computes what the whole notebook does, and leaves the rest out.

What the whole notebook does is what IPython's `run_cell` says.
"""

import sys

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from hmr_edu.course.grading.slices import needed
from hmr_edu.course.grading.statements import statements

# IPython's own, of lines that end with U+2028.
pytestmark = pytest.mark.filterwarnings("ignore:`make_tokens_by_line`")

# A statement, and the names that it reads when it runs, by hand; in every version of Python.
READ = {
    "[p for p in points]": "points",
    "{k: f(v) for k, v in pairs.items() if k in known}": "f pairs known",
    "[q for p in points for q in p if q > least]": "points least",
    "p = [p for p in p]": "p",
    "total += sum(x * scale for x in xs)": "total sum xs scale",
    "print([x for x in range(3)], x)": "print range x",
    "for p in points:\n    print(p, [q for q in p])": "points print",
    "def f(a=first): return [a for a in second]": "first",
    "f = lambda a=first: second": "first",
    "class A(base):\n    b = [c for c in body]": "base body",
}


@pytest.mark.parametrize("text", READ)
def test_names_that_a_statement_reads_when_it_runs(text):
    (found,) = statements(text)
    assert found.now == set(READ[text].split())


# Cells, and what `f()` gives when all of them run in order.
SAME = {
    "a remainder that begins a line": (
        "def f(a=7):\n    return (\n        (a + 3)\n        % 4\n        - 1\n    )",
        1,
    ),
    "an inequality that begins a line": ("def f(a=2, b=2):\n    return (a\n        != b)", False),
    "a magic above it": ("%precision 3\ndef f(a=7):\n    return (a\n        % 4)", 3),
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
    # What Jupyter runs besides Python.
    "timed": ("%%time\nn = 2\ndef f(): return n", 2),
    "captured": ("%%capture said\nn = 2\ndef f(): return n", 2),
    "captured and timed": ("%%capture\n%%time\ndef f(): return 3", 3),
    "profiled": ("%%prun -q -T /dev/null n = 2\nn += 1\ndef f(): return n", 3),
    "a timed line": ("%time n = 2 + 2\ndef f(): return n", 4),
    "a timed value": ("n = %time 2 + 2\ndef f(): return n", 4),
    "a timed value inside": ("def f():\n    n = %time 2 + 2\n    return n", 4),
    "a question": ("def f(): return 5\nf?", 5),
    "questions first": ("?print\nlen??\ndef f(): return 5", 5),
    "files listed": ("files = !ls\ndef f(): return 6", 6),
    "files counted inside": ("def f():\n    files = !true\n    return len(files)", 0),
    "a magic's value": ("here = %pwd\ndef f(): return 6", 6),
    "a shell line over two": ("!echo \\\n  torch\ndef f(): return 7", 7),
    "a magic over two": ("%precision \\\n  3\ndef f(): return 7", 7),
    "a magic in it": ("def f():\n    %precision 3\n    return 7", 7),
    "an automatic call": ("n = []\n/n.append 3\ndef f(): return n", [3]),
    "prompts": (">>> def f():\n...     return 8", 8),
    "prompts of IPython": ("In [1]: def f():\n   ...:     return 8", 8),
    "indented": ("    n = 1\n    def f(): return n", 1),
    "shown inside": ("def f():\n    display(1)\n    return 9", 9),
    "its shell": (
        "from IPython import get_ipython\nget_ipython().run_line_magic('pwd', '')\n"
        "def f():\n    get_ipython().run_line_magic('pwd', '')\n    return 9",
        9,
    ),
    "a future": ("from __future__ import annotations\ndef f(a: Nothing = 1): return a", 1),
    "a future between": (
        "n = 1\nfrom __future__ import annotations\ndef f(a: Nothing = 1): return a + n",
        2,
    ),
    "a form feed": ("n = 1\n\x0c\ndef f():\n\x0c    return n\n\x0cm = 2", 1),
    "ends of lines": ("n = 1\r\ndef f():\r\n    return n\r\n", 1),
    "old ends of lines": ("n = 1\rdef f():\r    return n\r", 1),
    **{
        f"a string with {character!a}": (
            f"n = 1; m = 'a{character}b'\ndef f(a=2):\n    '''Say{character} it.'''\n"
            f"    return m, n  # and{character}here\nk = 3",
            (f"a{character}b", 1),
        )
        for character in "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"
    },
    # Functions that change what they do not return.
    "a global counted": (
        "n = 0\ndef up():\n    global n\n    n += 1\n    return n\nk = up()\nk = up()\n"
        "def f(): return n",
        2,
    ),
    "a global set by a function only": (
        "def up():\n    global n\n    n = 4\nup()\ndef f(): return n",
        4,
    ),
    "a global counted by another's call": (
        "n = 0\ndef up():\n    global n\n    n += 1\ndef twice(): up(); up()\n"
        "k = [twice() for _ in range(2)]\ndef f(): return n",
        4,
    ),
    "a list filled by a function": (
        "xs = []\ndef add(x):\n    xs.append(x)\n    return len(xs)\nk = add(1) + add(2)\n"
        "def f(): return xs",
        [1, 2],
    ),
    "a list handed to a function": (
        "xs = []\ndef add(x, to):\n    to.append(x)\n    return len(to)\nk = add(1, to=xs)\n"
        "def f(): return xs",
        [1],
    ),
    "a list handed on": (
        "xs = []\ndef add(x, to):\n    to += [x]\n    return len(to)\n"
        "def more(to): return add(1, to)\nk = more(xs)\ndef f(): return xs",
        [1],
    ),
    "a list by default": (
        "xs = []\ndef add(x, to=xs):\n    to[:] = [x]\n    return 1\nk = add(5)\n"
        "def f(): return xs",
        [5],
    ),
    "a list filled by map": (
        "xs = []\ndef add(x): xs.append(x)\nk = list(map(add, [1, 2]))\ndef f(): return xs",
        [1, 2],
    ),
    "a list filled by a lambda": (
        "xs = []\nadd = lambda x: xs.append(x)\nk = add(3)\ndef f(): return xs",
        [3],
    ),
    "a value that is not used": ("xs = []\n_ = xs.append(1)\ndef f(): return xs", [1]),
    "a table filled": (
        "t = {}\nk = t.setdefault('a', 1)\nt.update(b=2)\ndef f(): return t",
        {"a": 1, "b": 2},
    ),
    "another name": ("xs = []\nys = xs\nys.append(1)\ndef f(): return xs", [1]),
    "another name for a part": ("xs = [[]]\nys = xs[0]\nys += [1]\ndef f(): return xs", [[1]]),
    "row by row": (
        "xs = [[], []]\nfor row in xs:\n    row.append(0)\ndef f(): return xs",
        [[0], [0]],
    ),
    "an object that counts": (
        "class C:\n    n = 0\n    def up(self):\n        self.n += 1\n        return self.n\n"
        "c = C()\nk = c.up()\ndef f(): return c.n",
        1,
    ),
    "an object that is called": (
        "class C:\n    n = 0\n    def __call__(self):\n        self.n += 1\n        return 0\n"
        "c = C()\nk = c()\nc()\ndef f(): return c.n",
        2,
    ),
    "a function with a memory": (
        "def make():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n"
        "        return n\n    return up\nup = make()\nup()\ndef f(): return up()",
        2,
    ),
    "a registry": (
        "known = {}\ndef register(g):\n    known[g.__name__] = g\n    return g\n"
        "@register\ndef g(): return 3\ndef f(): return known['g']()",
        3,
    ),
    "an iterator": ("it = iter([1, 2, 3])\nfirst = next(it)\ndef f(): return list(it)", [2, 3]),
}
# Cells that define no `f`.
OTHERS = {
    "a shell script": "%%bash\nf() { return 1; }",
    "a page": "%%html\n<b>f</b>",
    "a file": "%%writefile /dev/null\ndef f(): return 0",
    "timed over and over": "%%timeit -n1 -r1\nf = 0",
    "half a thought": "def f(:\n    return 0",
    "a misplaced magic": "# first\n%%time\ndef f(): return 0",
    "a timed line too many": "%%time n = 1\nf = 0",
}
# Cells of a notebook in which the definition that counts stands elsewhere, and its value.
GRADE = "grade(check_f, f, points=2)"
OPEN = 'def f():\n    """Say."""\n    raise NotImplementedError("write me")'
PLACES = {
    "below its check": ([GRADE, "n = 1", "def f(): return n"], 1),
    "twice: the last": (["def f(): return 0", GRADE, "def f(): return 1"], 1),
    "still open above": ([OPEN, GRADE, "def f(): return 1"], 1),
    "still open below": (["def f(): return 1", GRADE, OPEN], 1),
    "broken below": (["def f(): return 1", GRADE, "def f(:"], 1),
    "a helper changed later": (["n = 1", "def f(): return n", GRADE, "n = 2"], 1),
    "a helper changed before": (["n = 1", "def f(): return n", "n = 2", GRADE, "n = 3"], 2),
    "a helper that stands below": (["def f(): return g()", GRADE, "def g(): return 1"], 1),
    "a number that stands below": (["def f(): return n", GRADE, "n = 1"], 1),
    "an import that stands below": (
        ["class C(abc.ABC): pass\ndef f(): return C.__base__.__name__", GRADE, "import abc"],
        "ABC",
    ),
    "a name of Python's": (["def f(): return max(1, 2)", GRADE, "max = min"], 2),
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


@pytest.fixture(scope="module")
def shell():
    # A shell takes the place of `__main__`, which a new process of another test looks at.
    main = sys.modules["__main__"]
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


def value(cells):
    names = {}
    exec(compile(needed(cells, "f"), "slice", "exec", dont_inherit=True), names)
    return names["f"]()


@pytest.mark.parametrize("kind", SAME)
def test_a_slice_gives_what_the_notebook_gives(kind, shell):
    cell, wanted = SAME[kind]
    shell.reset(new_session=False)
    shell.run_cell(cell, silent=True)
    assert shell.user_ns["f"]() == wanted
    assert value([cell]) == wanted


@pytest.mark.parametrize("kind", OTHERS)
def test_a_cell_that_sets_nothing_is_left_out(kind, shell):
    shell.reset(new_session=False)
    for cell in ("def f(): return 1", OTHERS[kind]):
        shell.run_cell(cell, silent=True)
    assert shell.user_ns["f"]() == value(["def f(): return 1", OTHERS[kind]]) == 1


@pytest.mark.parametrize("kind", PLACES)
def test_the_definition_that_counts(kind):
    cells, wanted = PLACES[kind]
    assert value(cells) == wanted


def test_an_exercise_that_is_open_everywhere_says_so():
    with pytest.raises(NotImplementedError, match="write me"):
        value([OPEN, OPEN])


def test_what_does_not_run_is_named():
    for others in ([], [GRADE], [GRADE, "show(f)"]):
        with pytest.raises(NameError, match="is not Python"):
            needed(["def f(:\n    return 1", *others], "f")
    with pytest.raises(NameError, match="outside"):
        needed(["def f(a=(yield)): return a"], "f")
    with pytest.raises(NameError, match="no function named f"):
        needed(["", "# nothing", "%matplotlib inline"], "f")


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
