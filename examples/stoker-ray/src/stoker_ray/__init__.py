"""A backend of stoker for Ray clusters."""
