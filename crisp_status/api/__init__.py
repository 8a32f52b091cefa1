"""What can be asked and said by machines over HTTP: reports, management, devices, links that act, metrics."""
