"""What is done with runs: launching, watching, collecting and finding them."""
