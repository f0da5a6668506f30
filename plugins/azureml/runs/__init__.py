"""Watches, cancels, fetches, registers and adopts runs at Azure ML."""
