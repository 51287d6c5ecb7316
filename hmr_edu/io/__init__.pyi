from .errors import DataError, first_meaning
from .files import atomic_write, check_folder, check_input, check_name, check_output
from .jsonfile import read_json, write_json
from .npz import read_arrays
from .precision import at_least_float32, float32_inside
from .provenance import cpu_name, environment, sha256
from .quantisation import pack, unpack
from .tables import markdown_table, number_cell, text_table

__all__ = [
    "DataError",
    "at_least_float32",
    "atomic_write",
    "check_folder",
    "check_input",
    "check_name",
    "check_output",
    "cpu_name",
    "environment",
    "first_meaning",
    "float32_inside",
    "markdown_table",
    "number_cell",
    "pack",
    "read_arrays",
    "read_json",
    "sha256",
    "text_table",
    "unpack",
    "write_json",
]
