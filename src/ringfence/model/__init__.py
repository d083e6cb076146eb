"""What things are: frozen values, limits and errors."""
