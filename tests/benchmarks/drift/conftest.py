"""What pytest need not import in search of examples: what runs in an environment of its own."""

collect_ignore = ["nannyml_worker.py"]
