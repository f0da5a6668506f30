"""Tracks runs with MLflow."""
