"""Reasoners that ask a model, and what they share: object numbers, evidence, a second opinion."""
