"""The claims on trial, one module for each part of the paper."""
