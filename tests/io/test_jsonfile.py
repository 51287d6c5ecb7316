"""JSON in every encoding that its definition (RFC 8259, and RFC 4627 before it) knows."""

import codecs
import json
import time

import pytest

from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json

VALUE = {"Bäume": [1, 2.5, None, True], "b": {"c": "\U0001f9cd"}}


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (b"", "utf-16-le"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (b"", "utf-32-be"),
    ],
)
def test_every_encoding_and_byte_order_mark(tmp_path, mark, encoding):
    path = tmp_path / "a.json"
    path.write_bytes(mark + json.dumps(VALUE, ensure_ascii=False).encode(encoding))
    assert read_json(path, "file") == VALUE


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"a.png": [1], "b.png": [], "a.png": [2]}', "'a.png'"),
        ('{"a": {"b": [{"nose": 1, "nose": 1}]}}', "'nose'"),
        ('{"a": 1, "\\u0061": 2}', "'a'"),  # the same key, written in two ways
    ],
)
def test_a_key_that_stands_twice_is_named(tmp_path, text, key):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=rf"a\.json: the key {key} stands twice in one object"):
        read_json(tmp_path / "a.json", "file")


def test_the_same_key_in_several_objects_is_fine(tmp_path):
    (tmp_path / "a.json").write_text('[{"a": 1, "b": {"a": 2}}, {"a": 3}]')
    assert read_json(tmp_path / "a.json", "file") == [{"a": 1, "b": {"a": 2}}, {"a": 3}]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xff", b"{'a': 1}", b"\x80abc", b"[1,]"])
def test_what_is_not_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.json: not JSON"):
        read_json(tmp_path / "a.json", "file")


def test_a_key_that_stands_twice_among_many_is_found_at_once(tmp_path):
    """To look for each among all takes four times as long for twice as many: minutes for these."""
    keys = ", ".join(f'"{number}": 0' for number in [*range(60_000), 59_999])
    (tmp_path / "a.json").write_text(f"{{{keys}}}")
    began = time.process_time()
    with pytest.raises(DataError, match="'59999' stands twice"):
        read_json(tmp_path / "a.json", "file")
    assert time.process_time() - began < 5
