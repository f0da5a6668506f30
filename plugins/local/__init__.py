"""The local backend."""

NAME = "local"
"""The name of the backend, and the scheme of its handles."""
