"""Synthetic people, poses, and the pictures of them."""
