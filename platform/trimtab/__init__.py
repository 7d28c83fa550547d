"""Trimtab keeps a model on course."""
