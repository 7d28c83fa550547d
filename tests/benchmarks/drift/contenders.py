"""Who watches."""

from . import evidently_judge, nannyml_judge, scipy_judge, trimtab_judge
from .opinions import Contender

_NANNYML = nannyml_judge.Nannyml()
CONTENDERS = (
    Contender(
        name="trimtab",
        words="our monitor: limits from the training rows, for the budget",
        prepare=trimtab_judge.prepare,
    ),
    Contender(
        name="evidently-any",
        words="Evidently's `DataDriftPreset()` with all defaults, alarm when any column drifted",
        prepare=evidently_judge.preparing(evidently_judge.any_column),
        has_budget=False,
    ),
    Contender(
        name="evidently-half",
        words="the same, alarm when half of the columns drifted, as its report says it",
        prepare=evidently_judge.preparing(evidently_judge.half_of_columns),
        has_budget=False,
    ),
    Contender(
        name="scipy",
        words="Kolmogorov-Smirnov and chi-square by SciPy, the budget divided by the columns",
        prepare=scipy_judge.prepare,
    ),
    Contender(
        name="nannyml-drift",
        words="NannyML's univariate drift with all defaults, alarm when any column drifted",
        prepare=_NANNYML.drift,
        has_budget=False,
    ),
    Contender(
        name="nannyml-estimate",
        words="NannyML's performance estimated without labels: CBPE (ROC AUC) or DLE (RMSE)",
        prepare=_NANNYML.estimate,
        has_budget=False,
    ),
)
