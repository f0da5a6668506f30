"""Finds plugins, loads them, and calls each hook implementation by itself."""
