"""The control plane's hands: database, HTTP, console."""
