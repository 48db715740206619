"""The scene as text for a language model, and a model's text read back. Text is never executed."""
