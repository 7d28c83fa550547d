"""What can go wrong on purpose: each error keeps its facts and says what to do next."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a verb ends; scripts may rely on these numbers."""

    OK = 0
    FAILED = 1
    """Something that should have worked did not."""
    USAGE = 2
    """The command line, `trimtab.toml` or the environment is wrong."""
    REFUSED = 3
    """All worked, and the answer is no: rejected by the gate, data refused."""


class TrimtabError(Exception):
    """The root of every error that Trimtab raises on purpose."""

    exit_code = ExitCode.FAILED


class SettingsError(TrimtabError):
    """`trimtab.toml`, the environment or the command line cannot be used as it is."""

    exit_code = ExitCode.USAGE


class UnknownModelError(SettingsError):
    """A model was named that `trimtab.toml` does not declare."""

    def __init__(self, model: str, declared: list[str]) -> None:
        known = ", ".join(declared) or "none"
        super().__init__(f"No model {model!r} in trimtab.toml (declared: {known}).")
        self.model = model


class OpenEndpointError(SettingsError):
    """An endpoint is to listen where others can reach it, and no key would keep them out."""

    def __init__(self, model: str, host: str) -> None:
        super().__init__(
            f"models.{model}.serve.host is {host}, where others can reach the endpoint, and there "
            f"is no key that callers must send. Make one: trimtab key create NAME --model {model} "
            "(or set TRIMTAB_API_KEY to one), or set the host to 127.0.0.1."
        )
        self.model = model


class UnsupportedSchemaError(TrimtabError):
    """A signature holds something that the endpoint and the monitor cannot treat exactly."""

    exit_code = ExitCode.REFUSED


class NoChampionError(TrimtabError):
    """A model was asked for before any version was promoted."""

    def __init__(self, model: str) -> None:
        super().__init__(f"Model {model!r} has no champion yet. Train one: trimtab train {model}")
        self.model = model


class UnknownVersionError(TrimtabError):
    """The registry has no such version, or one that lacks what a version must carry."""

    def __init__(self, model: str, version: str, why: str = "it is not in the registry") -> None:
        super().__init__(f"Version {version} of {model!r} cannot be used: {why}.")
        self.model = model
        self.version = version


class UnknownKeyError(TrimtabError):
    """An API key was named by an id that no key has."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key {key_id!r}. List them: trimtab key list")
        self.key_id = key_id


class RegistryUnreachableError(TrimtabError):
    """MLflow does not answer, also after some patience."""

    def __init__(self, tracking_uri: str, why: object = "") -> None:
        detail = f" ({why})" if why else ""
        super().__init__(
            f"MLflow does not answer at {tracking_uri}{detail}. Start it with: trimtab up, or name "
            "a server that runs in TRIMTAB_TRACKING_URI."
        )
        self.tracking_uri = tracking_uri


class StaleEpochError(TrimtabError):
    """Somebody else moved the champion first; read it again before deciding again."""

    def __init__(self, model: str, expected: int) -> None:
        super().__init__(
            f"The champion of {model!r} moved since epoch {expected} was read; nothing was changed."
        )
        self.model = model
        self.expected = expected


class StaleLookError(TrimtabError):
    """Another comparison of the model was written since its looks were read."""

    def __init__(self, model: str, number: int) -> None:
        super().__init__(
            f"Versions of {model!r} were compared by somebody else meanwhile: look {number} is "
            "taken; nothing was changed."
        )
        self.model = model
        self.number = number


class StaleTrialError(TrimtabError):
    """A trial ended, or another process went on with it, since it was read."""

    def __init__(self, model: str, trial: str) -> None:
        super().__init__(f"The trial of {model!r} moved on meanwhile; nothing was changed.")
        self.model = model
        self.trial = trial


class LeaseLostError(TrimtabError):
    """A worker finished work that another worker had meanwhile taken over."""

    def __init__(self, request: str, holder: str) -> None:
        super().__init__(f"{holder} no longer holds request {request}; its result is discarded.")
        self.request = request
        self.holder = holder


class ManifestError(TrimtabError):
    """The bytes of a model are not those that were judged."""


class LedgerBrokenError(TrimtabError):
    """A row of the ledger was changed, removed or reordered after it was written.

    What the chain cannot show is that its newest rows were cut off; keep the newest digest
    elsewhere where that matters.
    """

    def __init__(self, seq: int) -> None:
        super().__init__(f"Ledger row {seq} does not follow from the row before it.")
        self.seq = seq


class DatabaseUnreachableError(TrimtabError):
    """The platform's database cannot be opened."""

    def __init__(self, url: str, why: object) -> None:
        """Take a URL that no longer shows its password."""
        super().__init__(
            f"The database {url} cannot be opened ({why}). Start it, or correct "
            "TRIMTAB_DATABASE_URL; without that the platform keeps a SQLite file in its home."
        )
        self.url = url


class DatabaseVersionError(TrimtabError):
    """The database was written by a newer Trimtab than this one."""


class UnknownIncidentError(TrimtabError):
    """An incident was named by an id that none has."""

    def __init__(self, incident: str) -> None:
        super().__init__(f"There is no incident {incident!r}. List them: trimtab incident list")
        self.incident = incident


class IncidentOverError(TrimtabError):
    """Something was asked of an incident that has ended."""

    exit_code = ExitCode.REFUSED

    def __init__(self, incident: str, resolution: str | None) -> None:
        super().__init__(f"Incident {incident} is over: {resolution or 'it was resolved'}.")
        self.incident = incident
