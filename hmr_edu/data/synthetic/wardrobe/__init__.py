"""Clothes, faces and colours of synthetic people, painted on the body."""
