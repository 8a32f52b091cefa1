"""A package, so that `tests.fakes` is ours and not that of an installed library that has its tests in its wheel."""
