"""What the operator wrote: one TOML file in, a checked `Config` or every problem with its place out."""
