"""Training of the models that read scenes."""
