"""The words of the loop, as frozen records."""
