"""Speed and memory of the parts and of the whole, each beside a named rival where one exists."""
