"""What pytest need not import in search of examples: what runs in processes of its own."""

collect_ignore = ["preparation.py", "servers"]
