"""Data sets of photographs: one file each; `hmr_edu.data.photos.data_sets` lists them."""
