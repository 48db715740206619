"""Recorded input: rosbags and folders of RGB-D frames."""
