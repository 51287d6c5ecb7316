"""Exercises of lesson 00: the parts of theta, from the crop to pixels, what an error notices."""
