"""What is done with runs at Azure ML: watching, cancelling, fetching and registering."""
