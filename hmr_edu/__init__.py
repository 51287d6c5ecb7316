"""hmr_edu: build Human Mesh Recovery from nothing, notebook by notebook."""

__version__ = "0.1.0"
