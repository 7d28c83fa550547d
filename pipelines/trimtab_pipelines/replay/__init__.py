"""Replay: the past once more, under several retraining policies, in simulated time."""
