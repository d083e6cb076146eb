"""The content author's hands: import, build, show."""
