"""Questions and answers as bytes: what goes in comes out; what is no message is refused."""

import base64
import io
import json
import math
import symtable
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmr_edu.course.exercises import registry
from hmr_edu.course.learner import compiled, question, source_of
from hmr_edu.course.wire import LARGEST, PLAIN, Other, decode, encode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(values)
def test_plain_values_come_back_with_their_types(value):
    back = decode(encode(value))
    assert back == value
    assert repr(back) == repr(value)  # -0.0, True and 1, tuples and lists


@pytest.mark.parametrize("dtype", [*sorted(PLAIN, key=str), torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 4), (2, 3)])
def test_tensors_come_back_to_the_bit(dtype, shape):
    made = (5 * torch.randn(shape, generator=torch.Generator().manual_seed(1))).to(dtype)
    back = decode(encode(made))
    assert back.dtype == dtype
    assert back.shape == made.shape
    assert torch.equal(back, made)


def test_tensors_keep_nan_views_and_the_flag_of_a_gradient():
    made = torch.tensor([math.nan, math.inf, -0.0])
    assert decode(encode(made)).numpy().tobytes() == made.numpy().tobytes()
    for view in (torch.arange(6.0).view(2, 3).mT, torch.eye(2).expand(3, 2, 2)):
        assert torch.equal(decode(encode(view)), view)
    leaf = torch.ones(2, requires_grad=True)
    assert decode(encode([leaf, 2 * leaf]))[1].requires_grad
    assert not decode(encode(made)).requires_grad


class Sly(torch.Tensor):
    """A tensor that says of itself what it likes."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.zeros(())


def test_a_subclass_travels_as_what_it_is():
    back = decode(encode(torch.ones(2, 2).as_subclass(Sly)))
    assert type(back) is torch.Tensor
    assert torch.equal(back, torch.ones(2, 2))


@pytest.mark.parametrize("value", [print, object(), np.zeros(2), {1, 2}, {1: 2}, b"x", Sly])
def test_what_is_not_plain_keeps_the_name_of_its_type(value):
    back = decode(encode(value))
    assert isinstance(back, Other)
    assert type(back).__name__ == type(value).__name__


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(message):
    with suppress(ValueError):
        decode(message)


def array(shape, data=b"", dtype="<f8", magic=b"\x93NUMPY\x01\x00"):
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    packed = magic + len(header).to_bytes(2, "little") + header + data
    return json.dumps({"tensor": base64.b64encode(packed).decode(), "grad": False}).encode()


@pytest.mark.parametrize(
    "message",
    [
        array((10**12,)),  # numbers that are not there
        array((2,), b"\0" * 8),
        array((-1,), b"\0" * 8),
        array((), b"\0" * 8, dtype="|O"),  # objects: a pickle
        array((1,), b"\0" * 8, magic=b"\x93NUMPY\x02\x00"),
        array((1,), b"\0" * 8, dtype="<M8[s]"),
        json.dumps({"tensor": "####", "grad": False}).encode(),
        json.dumps({"tensor": "", "grad": False}).encode(),
        json.dumps({"list": [{"what": 1}]}).encode(),
        json.dumps([1]).encode(),
        b"[" * 10**5,
        b"\xff",
        b"1" * (LARGEST + 1),
    ],
)
def test_a_damaged_message_is_refused(message):
    with pytest.raises(ValueError, match=r"\w"):
        decode(message)


def test_no_pickle_is_read(monkeypatch):
    file = io.BytesIO()
    np.save(file, np.array([print], dtype=object), allow_pickle=True)
    packed = {"tensor": base64.b64encode(file.getvalue()).decode(), "grad": False}
    with pytest.raises(ValueError, match="another size"):
        decode(json.dumps(packed).encode())


def test_too_large_and_too_deep_are_refused():
    with pytest.raises(ValueError, match="too large"):
        encode(torch.zeros(LARGEST))
    with pytest.raises(ValueError, match="MB"):
        encode("x" * LARGEST)
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        encode(deep)


def modules_of_checks():
    return [exercise.check.__module__ for exercise in registry.exercises()]


@pytest.mark.parametrize("module", modules_of_checks())
def test_a_question_needs_nothing_but_what_travels(module):
    source = source_of("hmr_edu.course.questions") + "\n\n" + source_of(module)
    known = set(compiled(source)) | set(dir(__builtins__)) | set(__builtins__)
    table = symtable.symtable(source, "questions", "exec")
    used = set()
    tables = [table]
    while tables:
        one = tables.pop()
        used |= {s.get_name() for s in one.get_symbols() if s.is_global() and s.is_referenced()}
        tables += one.get_children()
    assert used <= known


@question
def _toy(function, n: int) -> int:
    """A question."""
    return function(n) + OUTSIDE


OUTSIDE = 1


def test_what_does_not_travel_is_not_there():
    source = source_of(__name__)
    assert "OUTSIDE" in source
    assert "int" not in source
    with pytest.raises(NameError, match="OUTSIDE"):
        compiled(source)["_toy"](abs, 1)


HEADERS = ["{'descr': '<f4', 'fortran_order': False, 'shape': (", "{'a': 'b\n", "(" * 900]


@pytest.mark.parametrize(
    "packed",
    [
        {"float": "0x1p99999"},
        *(
            {"tensor": base64.b64encode(b"\x93NUMPY\x01\x00\xff\x03" + h.ljust(1023).encode())
             .decode(), "grad": False}
            for h in HEADERS
        ),
    ],
)  # fmt: skip
def test_numbers_and_headers_that_are_none_are_refused(packed):
    with pytest.raises(ValueError, match=r"."):
        decode(json.dumps(packed).encode())
