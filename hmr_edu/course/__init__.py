"""What the lessons need beside the code they teach: checks of a learner's functions."""
