"""Poses: motion capture, the pose prior, other pose sources."""
