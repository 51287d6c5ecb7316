"""Exercises of lesson 04, the loop. Layers that are counted and loops that run give the truth."""
