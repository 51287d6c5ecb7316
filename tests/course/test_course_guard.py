"""What a learner's function may call while it is graded, and what it may not."""

import pytest

from hmr_edu.course.grading.sandbox import Sandbox

# In front of the right answer. Each makes a library use what a learner may not.
FINE = {
    "print a tensor": "print(v, v.clone().requires_grad_())",
    "format a tensor": "assert f'{v}'",
    "vmap": "torch.vmap(torch.sin)(v)",
    "jacrev": "torch.func.jacrev(torch.sin)(v.reshape(-1))",
    "an optimizer": "torch.optim.SGD([torch.nn.Parameter(torch.ones(1))]).step()",
    "a named tuple": "import collections; collections.namedtuple('P', 'a b')(1, 2)",
    "a typed tuple": "import typing; typing.NamedTuple('P', [('a', 'int')])(1)",
    "a data class": "import dataclasses; dataclasses.make_dataclass('P', ['a'])(1)",
    "an enumeration": "import enum; enum.Enum('E', 'a b')",
}
# The same tools in the learner's hands, or libraries that would hand them on.
REFUSED = {
    "eval": "eval('1')",
    "exec": "exec('1')",
    "eval in a callback": "torch.func.jacrev(lambda x: eval('x'))(v.reshape(-1))",
    "a stack": "import inspect; inspect.stack()",
    "a frame": "import inspect; inspect.currentframe()",
    "a source": "import inspect, hmr_edu.rotations as r; inspect.getsource(r)",
    "an annotation": "import typing; typing.get_type_hints(type('P', (), {'__annotations__': "
    "{'a': '1'}}))",
    "a file": "import pathlib; pathlib.Path('/etc/hostname').read_text()",
    "a borrowed name": "import types; types.FunctionType("
    "compile('import gc; gc.get_objects()', types.__file__, 'exec'), {})()",
}
SKEW = """
import torch
def skew(v):
    {}
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*v.shape, 3)
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox("plain process") as sandbox:
        yield sandbox


@pytest.mark.parametrize("kind", FINE)
def test_what_libraries_do_for_themselves_costs_nothing(sandbox, kind):
    text, score = sandbox.judge([SKEW.format(FINE[kind])], "check_skew", "skew", 1)
    assert score == 1, text


@pytest.mark.parametrize("kind", REFUSED)
def test_the_same_tools_are_refused_in_a_learner_s_hands(sandbox, kind):
    text, score = sandbox.judge([SKEW.format(REFUSED[kind])], "check_skew", "skew", 1)
    assert score == 0
    assert "it calls" in text
