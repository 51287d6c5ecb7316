"""2D keypoints of people: joint sets, files of detectors and annotators, an installed detector."""
