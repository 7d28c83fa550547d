"""Collect, check, train, judge, promote."""
