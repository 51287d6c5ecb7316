from .check import Check, Mismatch, Report, compare, inputs, require, salted, shaped
from .notebooks import execute, execute_all

__all__ = [
    "Check",
    "Mismatch",
    "Report",
    "compare",
    "execute",
    "execute_all",
    "inputs",
    "require",
    "salted",
    "shaped",
]
