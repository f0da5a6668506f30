"""Readers that load data into arrays: one for each source."""
