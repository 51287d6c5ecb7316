"""Explorers: bodies that move while a slider does. Each returns a widget; show it by naming it."""
