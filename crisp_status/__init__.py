"""crisp-status: a status page that watches your services and tells people."""

__version__ = "0.1.0"
