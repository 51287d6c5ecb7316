"""Exercises of lesson 06, adversarial training. Derivatives by hand and SciPy give the truth."""
