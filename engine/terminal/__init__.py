"""What people see: progress bars, text and questions."""
