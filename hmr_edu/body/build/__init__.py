"""Building the free body from CC0 data; needs the package's `build` extra."""
