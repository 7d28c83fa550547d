"""How a bake stands, in a few words."""

from trimtab.records.gate import GateResult
from trimtab.records.trials import Trial


def standing(trial: Trial, quality: GateResult | None) -> str:
    """Say how the new champion does beside the one before, as far as labels have come.

    Only a look may end a bake; what is said in between proves nothing.
    """
    if quality is None or not quality.overall.rows:
        return "no labels yet"
    found = quality.overall
    word = "worse" if found.low > 0 else "better" if found.high < 0 else "level"
    return (
        f"so far {word}: {quality.metric} {found.champion:.4g}, that of version "
        f"{trial.challenger} would be {found.challenger:.4g} ({found.rows:,} rows)"
    )
