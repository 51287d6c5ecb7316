"""Dressed people: real garments, hair and skins over the body, instead of painted ones."""
