"""HTTPS on loopback: connections, certificates and faults to inject."""
