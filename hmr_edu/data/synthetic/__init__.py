"""Synthetic people: who they are, where they stand, how they look."""
