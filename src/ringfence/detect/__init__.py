"""What does it mean?  Pure."""
