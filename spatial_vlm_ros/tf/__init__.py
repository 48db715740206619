"""Transforms over time, with the meaning tf2 gives them."""
