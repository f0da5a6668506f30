"""azureml-core: quiet, bounded in time, and signed in."""
