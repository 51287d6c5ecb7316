"""Build the wardrobe from CC0 garments, hair and skins; this needs the `build` extra."""
