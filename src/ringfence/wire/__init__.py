"""Bytes to values and back: the only code that knows a format."""
