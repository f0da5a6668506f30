"""The commands of the Azure ML backend."""
