"""Read a JSON file of which some lists are long: their entries are decoded one by one.

COCO's annotations of half a million people are 500 MB of text and four gigabytes of Python's
objects. This takes little more memory than the text, which the system may drop.
"""

from __future__ import annotations

import gc
import mmap
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hmr_edu.io.errors import DataError, first_meaning, naming
from hmr_edu.io.files import check_input


class Entries(Sequence[Any]):
    """The entries of a JSON list, decoded when they are asked for."""

    def __init__(self, entries: list[Any], decode: Callable[[Any], Any], text: mmap.mmap) -> None:
        self._entries, self._decode, self._text = entries, decode, text

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: Any) -> Any:
        return self._one(self._entries[index])

    def __iter__(self) -> Iterator[Any]:
        return map(self._one, self._entries)

    def _one(self, entry: Any) -> Any:
        try:
            return self._decode(entry)
        except (ValueError, RecursionError) as error:
            raise DataError(f"an entry cannot be read ({first_meaning(error)})") from None

    def typed(self, kind: Any, start: int, stop: int) -> list[Any]:
        """Return some entries as instances of a type; much faster where it has few fields.

        Raises ValueError where an entry is not of this type.
        """
        import msgspec

        decode = msgspec.json.Decoder(kind).decode
        with no_collection():
            typed = [decode(entry) for entry in self._entries[start:stop]]
        if hasattr(mmap, "MADV_DONTNEED"):  # the file may leave the memory
            self._text.madvise(mmap.MADV_DONTNEED)
        return typed


def read_big_json(path: str | Path, what: str, lists: Sequence[str]) -> dict[str, Any]:
    """Read a JSON object; those of its lists that are named become `Entries`.

    The file must not change while its entries are read. Of a key that stands twice the last value
    counts, other than in `read_json`. Raises FileNotFoundError that says `what` is missing,
    DataError that names the file when it is not JSON, or not an object.
    """
    import msgspec  # machines that only train do without it

    path = check_input(path, what)
    decode = msgspec.json.Decoder().decode
    with _faults(path, "object"), no_collection():
        text = _mapped(path)
        parts = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return {
            name: Entries(msgspec.json.decode(part, type=list[msgspec.Raw]), decode, text)
            if name in lists and bytes(memoryview(part)[:1]) == b"["
            else decode(part)
            for name, part in parts.items()
        }


def read_big_list(path: str | Path, what: str) -> Entries:
    """Read a JSON list as `Entries`. Raises as `read_big_json`, also when it is not a list."""
    import msgspec

    path = check_input(path, what)
    with _faults(path, "list"), no_collection():
        text = _mapped(path)
        entries = msgspec.json.decode(text, type=list[msgspec.Raw])
        return Entries(entries, msgspec.json.Decoder().decode, text)


@contextmanager
def no_collection() -> Generator[None]:
    """Let Python not look for cycles meanwhile: among millions of new lists that takes seconds."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _mapped(path: Path) -> mmap.mmap:
    if not path.stat().st_size:
        raise DataError("the file is empty")
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@contextmanager
def _faults(path: Path, kind: str) -> Generator[None]:
    """Turn every fault of a file into a DataError that names it."""
    import msgspec

    try:
        with naming(path):
            yield
    except DataError:
        raise
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON {kind} ({first_meaning(error)})") from None
