"""Why a trial cannot begin, go on or be shown."""

from datetime import datetime

from trimtab.errors import ExitCode, TrimtabError
from trimtab.records.trials import Trial

from .trial_words import title


class UnfitChallengerError(TrimtabError):
    """A version cannot be compared with the champion, or cannot answer in its place."""

    exit_code = ExitCode.REFUSED

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(f"Version {version} of {model!r} cannot be tried: {why}.")
        self.model = model
        self.version = version


class TrialRunningError(TrimtabError):
    """A model has one trial at a time."""

    exit_code = ExitCode.REFUSED

    def __init__(self, trial: Trial) -> None:
        super().__init__(
            f"{title(trial)}, is running since {trial.began_at:%Y-%m-%d %H:%M}. Look at it: "
            f"trimtab trial {trial.model}; end it: trimtab trial {trial.model} --end"
        )
        self.trial = trial


class NoTrialError(TrimtabError):
    """A model was never tried a version of, or no trial is running."""

    exit_code = ExitCode.USAGE

    def __init__(self, model: str, what: str) -> None:
        super().__init__(
            f"{what} of {model!r}. Begin one: trimtab shadow {model} VERSION, or trimtab canary "
            f'{model} VERSION --share 10% --why "..."'
        )
        self.model = model


class NothingCapturedError(TrimtabError):
    """The past that was asked for lies behind the last captured request."""

    exit_code = ExitCode.REFUSED

    def __init__(self, model: str, through: datetime) -> None:
        super().__init__(
            f"The requests of {model!r} are captured up to {through:%Y-%m-%d %H:%M} only: give a "
            "longer --last, or start the endpoint: trimtab up"
        )
        self.model = model
        self.through = through
