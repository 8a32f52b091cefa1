"""The page's own certificates: kept, fetched from an authority, renewed, and shown to whoever connects over TLS."""
