"""The endpoint's hands: fanotify, sandboxes, the store, the spool."""
