"""The error for input that cannot be used. Its message says why."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

# The longest message of another library that is repeated, in characters.
LONGEST = 200
# Where in its source a library found the fault: nobody needs to know.
_PLACES = re.compile(
    r"^\[enforce fail at [^\]]*\][. ]*|^Error\(s\) in loading state_dict for \w+:$"
)


class DataError(ValueError):
    """A file or value given by the user cannot be used; the message says what to do."""


@contextmanager
def naming(path: Any) -> Generator[None]:
    """Put the name of a file before the message of a DataError, where it is not there yet."""
    try:
        yield
    except DataError as error:
        said = str(error)
        raise DataError(said if said.startswith(str(path)) else f"{path}: {said}") from None


def first_meaning(error: BaseException | str) -> str:
    """Return the first line of a message that means something, at most `LONGEST` characters.

    Other libraries write up to 99 lines: PyTorch one for each weight that does not fit.
    """
    for line in str(error).splitlines():
        words = " ".join(_PLACES.sub("", line.strip()).split())
        if words:
            return words if len(words) <= LONGEST else words[:LONGEST] + " ..."
    return type(error).__name__ if isinstance(error, BaseException) else ""
