"""Furnished rooms with known truth, rendered as an RGB-D robot would record them."""
