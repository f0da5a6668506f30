"""The folder that travels and runs by itself."""
