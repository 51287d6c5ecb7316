"""Simple geometry beyond the shipped garments: glasses, beards, bags, coats."""
