"""The pure core: no await, no I/O, no clock, no randomness. The same events give the same state."""
