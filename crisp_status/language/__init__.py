"""All sentences that people read: catalogues, formats of numbers and dates, headline, timeline and reasons."""
