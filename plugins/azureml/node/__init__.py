"""What runs on the node beside the engine: the entry script, and the observer that reports to the service."""
