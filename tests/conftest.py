"""What holds for every test."""

from hypothesis import settings

# A busy machine is slow, not wrong: no example fails for taking long.
settings.register_profile("hmr_edu", deadline=None)
settings.load_profile("hmr_edu")
