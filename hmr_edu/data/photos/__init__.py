"""Photographs: pictures, their annotations, calibrated cameras."""
