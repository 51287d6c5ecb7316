"""Exercises of lesson 01, rotations. The truth is SciPy's, the matrix exponential's, or QR's."""
