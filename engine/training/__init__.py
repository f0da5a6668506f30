"""One job in this process, from data to files."""
