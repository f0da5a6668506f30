"""The clusters that jobs run on: made, waited for, listed and deleted."""
