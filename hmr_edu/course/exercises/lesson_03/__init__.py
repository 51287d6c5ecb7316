"""Exercises of lesson 03: cameras, crops, and fits to keypoints."""
