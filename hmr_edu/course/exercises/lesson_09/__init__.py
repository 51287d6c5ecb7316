"""Exercises of lesson 09: LSP's file, joints by name, a labelled person in the mirror."""
