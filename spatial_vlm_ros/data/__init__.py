"""SpaceSpan: questions about 3D scenes in one format, from other data sets or made of scenes."""
