"""The engine: what a job is, how it trains, where its results are, and how a backend brings it elsewhere."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
