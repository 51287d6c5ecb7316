"""Read a JSON file of which some lists are long: their entries are decoded one by one.

COCO's annotations of half a million people are 500 MB of text and four gigabytes of Python's
objects. This takes little more memory than the text, which the system may drop.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input


class Entries(Sequence[Any]):
    """The entries of a JSON list, decoded when they are asked for."""

    def __init__(self, entries: list[Any], decode: Callable[[Any], Any]) -> None:
        self._entries, self._decode = entries, decode

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: Any) -> Any:
        return self._decode(self._entries[index])

    def __iter__(self) -> Iterator[Any]:
        return map(self._decode, self._entries)


def read_big_json(path: str | Path, what: str, lists: Sequence[str]) -> dict[str, Any]:
    """Read a JSON object; those of its lists that are named become `Entries`.

    The file must not change while its entries are read. Of a key that stands twice the last value
    counts, other than in `read_json`. Raises FileNotFoundError that says `what` is missing,
    DataError that names the file when it is not JSON, or not an object.
    """
    import msgspec  # machines that only train do without it

    path = check_input(path, what)
    decode = msgspec.json.Decoder().decode
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise DataError("the file is empty")
            text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        parts = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return {
            name: Entries(msgspec.json.decode(part, type=list[msgspec.Raw]), decode)
            if name in lists and bytes(memoryview(part)[:1]) == b"["
            else decode(part)
            for name, part in parts.items()
        }
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON object ({first_meaning(error)})") from None
