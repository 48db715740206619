"""What things are called: open vocabulary, by detectors and by comparing crops with words."""
