"""Images to features: vision encoders, and what is drawn to be seen by them."""
