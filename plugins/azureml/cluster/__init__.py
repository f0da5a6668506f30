"""The compute that jobs run on."""
