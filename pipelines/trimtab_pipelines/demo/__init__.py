"""The demo: a project's own history, replayed as live traffic through the running platform."""
