"""Problem sets: release, sandboxed grading with nbgrader, feedback, export."""
