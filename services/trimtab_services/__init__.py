"""Package, serve, capture, swap."""
