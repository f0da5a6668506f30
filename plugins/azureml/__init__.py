"""The Azure ML backend: the same jobs on a cluster in the cloud."""

NAME = "azureml"
"""The name of the backend, on the command line and in handles, and of the extra that brings its packages."""
