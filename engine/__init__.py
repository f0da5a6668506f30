"""The engine: what a job is, how it trains, where its results are, and how a backend brings it elsewhere."""

VERSION = "0.1.0"
