"""`PageView` to documents: HTML, feeds, calendar, badges, JSON, metrics, and the table of all documents."""
