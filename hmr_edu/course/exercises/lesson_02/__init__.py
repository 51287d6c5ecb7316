"""Exercises of lesson 02, the body. Plain loops over vertices and 4 x 4 matrices give the truth."""
