"""Training and evaluation: writes records, draws nothing."""
