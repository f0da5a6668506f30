"""The terminal: progress bars, text and questions."""
