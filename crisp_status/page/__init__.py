"""State to bytes: what visitors and their machines may see, and how it looks."""
