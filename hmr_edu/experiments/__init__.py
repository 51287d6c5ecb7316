"""Claims put to the test: what is claimed, by whom, and the small trainings that settle it."""
