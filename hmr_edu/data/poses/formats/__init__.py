"""Files of motion, one format a file; `registry.py` lists them."""
