"""Keeps azureml-core quiet and within a time limit, and signs in with it."""
