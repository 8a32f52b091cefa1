"""The whole program: `App` wires it from a configuration, `life` runs it under an operating system."""

from crisp_status.app.daemon import App

__all__ = ["App"]
