"""A memory of the space around a robot that can be asked."""

__version__ = "0.1.0"
