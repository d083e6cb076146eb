"""Is it genuine?  Pure."""
