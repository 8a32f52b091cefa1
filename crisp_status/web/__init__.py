"""HTTP in and out: it finds bytes that are already made, and passes what operators and applications say to the engine."""
