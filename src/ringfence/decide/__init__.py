"""What to do next: sans-I/O state machines, step(state, event, now) -> (state, commands)."""
