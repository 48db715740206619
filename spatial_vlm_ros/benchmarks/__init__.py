"""Published benchmarks: their questions, and their scores exactly as published."""
