"""The parser of the command line, and where the value of an option comes from."""
