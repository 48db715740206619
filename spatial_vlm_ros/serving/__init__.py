"""A loaded model that continues prompts."""
