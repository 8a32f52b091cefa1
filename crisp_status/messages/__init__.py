"""A pending message to words for a channel: its facts, its table of nodes, and links that act without signing in."""
