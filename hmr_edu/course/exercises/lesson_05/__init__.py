"""Exercises of lesson 05, the critics. Sums by hand and finite differences give the truth."""
