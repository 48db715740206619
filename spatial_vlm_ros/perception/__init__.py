"""What a frame shows: points, instances and their attributes."""
