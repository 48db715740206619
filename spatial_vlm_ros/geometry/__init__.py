"""Where each pixel is: depth and pose of frames, from a depth camera or from images alone."""
