"""Exercises of lesson 08: scores on annotated photographs, and what a picture says to a fit."""
