"""What people see at a terminal: progress bars, text and questions."""
