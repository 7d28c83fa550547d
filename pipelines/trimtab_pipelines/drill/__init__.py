"""The drill: known changes put into live-like traffic, and what the platform made of them."""
