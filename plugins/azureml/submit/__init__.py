"""Submits jobs: plan, environment, data set, upload and run configuration."""
