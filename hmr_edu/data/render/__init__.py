"""From posed bodies to pixels: the rasteriser and the renderer."""
