"""Finds plugins, loads them, and calls each hook by itself."""
