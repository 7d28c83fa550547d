"""The fast path: a fitted pipeline as a short plan from typed row values to the same numbers.

`lower` looks at the fitted objects once. What it does not know by its exact class it refuses, and
the pipeline itself goes on answering.
"""

from .limits import CannotLowerError, OddRowsError
from .plan import Lowered, lower

__all__ = ["CannotLowerError", "Lowered", "OddRowsError", "lower"]
