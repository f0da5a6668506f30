"""Trackers that come with stoker and need an extra package: TensorBoard and MLflow."""
