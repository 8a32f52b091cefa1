"""The policy of a look: attempts, one deadline each, retries, witnesses of our own network, and the story."""
