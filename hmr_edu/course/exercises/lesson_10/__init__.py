"""Exercises of lesson 10: keypoints into their box, the camera out of it, a pretended detector."""
