"""What is remembered: boxes, objects, relations and the scene graph."""
