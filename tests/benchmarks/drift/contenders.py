"""Who watches."""

from . import trimtab_judge
from .opinions import Contender

CONTENDERS = (
    Contender(
        name="trimtab",
        words="our monitor: limits from the training rows, for the budget",
        prepare=trimtab_judge.prepare,
    ),
)
