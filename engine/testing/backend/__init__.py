"""The conformance suite for backends; a file for each promise."""
