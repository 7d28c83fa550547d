"""Windows, drift, verdicts, incidents, alerts."""
