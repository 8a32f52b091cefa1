"""What repeats for ever: look at the state, do what is due, submit what came of it."""
