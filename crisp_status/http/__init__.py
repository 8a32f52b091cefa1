"""The HTTP protocol: connections, limits, routing, negotiation and ready responses. It decides nothing about health."""
