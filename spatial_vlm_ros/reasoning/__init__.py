"""How questions are answered from the scene graph."""
