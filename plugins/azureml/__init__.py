"""The Azure ML backend: the same jobs on a cluster in the cloud."""
