"""Telling drift from chance: checks of a window, calibrated on windows of the training rows."""
