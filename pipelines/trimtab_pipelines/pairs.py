"""The two versions of a trial, loaded and proven to be themselves."""

from dataclasses import dataclass

from trimtab.records.trials import Trial

from .bench import Bench
from .contenders import Contender, load_contender
from .contest import find_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two versions of a trial, loaded."""

    champion: Contender
    challenger: Contender

    def other(self, version: str) -> Contender:
        """Give the version that did not answer."""
        return self.champion if version == self.challenger.version.version else self.challenger

    def named(self, version: str) -> Contender:
        """Give the version of a number."""
        return self.challenger if version == self.challenger.version.version else self.champion


def load_pair(bench: Bench, trial: Trial) -> Pair:
    """Load both versions by the hashes in our own records.

    Raises UnknownVersionError and ManifestError.
    """
    model = trial.model
    with bench.database.transaction() as stores:
        moves = stores.promotions.history(model)
    judged = next((m.manifest_sha256 for m in moves if m.epoch == trial.epoch), None)
    champion, challenger = (
        load_contender(
            bench.registry,
            bench.settings.home,
            find_version(bench.registry, model, version),
            sha256,
        )
        for version, sha256 in (
            (trial.champion, judged),
            (trial.challenger, trial.manifest_sha256),
        )
    )
    return Pair(champion=champion, challenger=challenger)
