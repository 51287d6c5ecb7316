"""Diagrams of the lessons."""
