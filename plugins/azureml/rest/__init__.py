"""The client for the service's REST interfaces."""
