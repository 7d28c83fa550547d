"""Rows sent to an endpoint as live traffic, with their time compressed; labels follow them."""
