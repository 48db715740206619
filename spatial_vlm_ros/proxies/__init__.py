"""The scene as a short sequence of 3D proxies (Proxy3D, section 3.1)."""
