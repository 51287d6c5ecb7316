"""Build the wardrobe from CC0 garments, hair and skins; this needs the `build` extra."""

from hmr_edu.body.build.garments.pipeline import build_wardrobe

__all__ = ["build_wardrobe"]
