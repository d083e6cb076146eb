"""Programs: one file per process or command, wiring only."""
