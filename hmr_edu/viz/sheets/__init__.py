"""Contact sheets of people."""
