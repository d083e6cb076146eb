"""One module per revision, in order; each names the one before it."""
