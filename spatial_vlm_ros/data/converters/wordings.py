"""What models are asked where a data set has descriptions and no questions."""

from __future__ import annotations


def which_one(description: str) -> str:
    """Of one object."""
    return f"Which object does this describe? {description}"


def which(description: str) -> str:
    """Of any number of objects."""
    return f"Which objects, if any, does this describe? {description}"


def describe(number: int) -> str:
    """The other way round."""
    return f"Describe #{number}: what it looks like and where it is."
