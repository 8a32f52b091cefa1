"""State to `PageView`: the only thing that visitors and their programs may know."""
