"""What reads data into arrays: one reader for each form."""
