"""Trackers that come with stoker and need a package of their own: TensorBoard and MLflow."""
