"""Built-in plugins: the commands, the local backend, and whatever else uses the same hooks as anybody's."""
