"""Writes a new plugin from templates."""
