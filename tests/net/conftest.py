"""The same tools and the same trusted authority as the tests of probes."""

from tests.probes.conftest import authority, shared

__all__ = ["authority", "shared"]
