"""The settings of retraining, as the rules that decide."""

from trimtab.policy.retrain import RetrainRules

from .learning import RetrainSettings


def rules_of(settings: RetrainSettings) -> RetrainRules:
    """Put the user's settings as rules."""
    return RetrainRules(
        on=settings.on,
        cooldown=settings.cooldown,
        budget=settings.budget,
        min_new_rows=settings.min_new_rows,
        give_up_after=settings.give_up_after,
        completeness=settings.completeness,
    )
