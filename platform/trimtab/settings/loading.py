"""Reading `trimtab.toml`: what is wrong, where, and what was probably meant."""

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trimtab.errors import SettingsError, UnknownModelError

from .environment import Environment
from .home import Home
from .project import ModelSettings, Project

FILE = "trimtab.toml"
_BRANCH = re.compile(r"(literal|function-\w+)?\[.*\]|constrained-int")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process needs to know before it starts."""

    project: Project
    environment: Environment
    folder: Path
    """Where `trimtab.toml` lies; relative sources are relative to it."""

    @property
    def home(self) -> Home:
        """Where the platform keeps its data."""
        return Home((self.environment.home or self.folder / ".trimtab").resolve())

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the platform's database."""
        secret = self.environment.database_url
        return secret.get_secret_value() if secret else f"sqlite:///{self.home.database}"

    @property
    def tracking_uri(self) -> str:
        """Where MLflow answers."""
        return self.environment.tracking_uri or f"http://{self.project.platform.address}"

    @property
    def inference_log(self) -> Path:
        """Folder of the inference log."""
        return (self.environment.inference_log or self.home.inference_log).resolve()

    def model(self, name: str) -> ModelSettings:
        """Give the settings of a model. Raises UnknownModelError."""
        try:
            return self.project.models[name]
        except KeyError:
            raise UnknownModelError(name, sorted(self.project.models)) from None


def load(folder: Path, environment: Environment | None = None) -> Settings:
    """Read the project in a folder.

    Raises SettingsError, which names the file, the key and the nearest right one.
    """
    path = folder / FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"No {FILE} in {folder.resolve()}. Make one from your data: trimtab init FILE.csv"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    try:
        project = Project.model_validate(content)
    except ValidationError as error:
        lines = [f"  {line}" for line in _lines(error.errors())]
        raise SettingsError("\n".join([f"{path} cannot be used:", *lines])) from None
    found = environment or _environment()
    return Settings(project=project, environment=found, folder=folder.resolve())


def _environment() -> Environment:
    try:
        return Environment()
    except ValidationError as error:
        lines = [
            f"  TRIMTAB_{str(detail['loc'][0]).upper()}: {_explain(detail)}"
            for detail in error.errors()
        ]
        raise SettingsError("\n".join(["The environment cannot be used:", *lines])) from None


def _lines(details: list[ErrorDetails]) -> list[str]:
    """Give one line a setting; where it may be one of several kinds, each says what it misses."""
    found: dict[str, list[str]] = {}
    for detail in details:
        # pydantic adds the branch of a union, or `[key]`, which nobody wrote
        loc = [part for part in detail["loc"] if not _BRANCH.fullmatch(str(part))]
        where = ".".join(map(str, loc)) or "file"
        found.setdefault(where, []).append(_explain(detail))
    return [f"{where}: {', or: '.join(messages)}" for where, messages in found.items()]


def _explain(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "extra_forbidden":
            *parents, key = detail["loc"]
            nearest = difflib.get_close_matches(str(key), _keys_at(Project, parents), n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            return f"unknown key{hint}"
        case "missing":
            return "missing; it has no default"
        case _:
            return detail["msg"].removeprefix("Value error, ")


def _keys_at(section: type[BaseModel], path: list[Any]) -> list[str]:
    """List the keys of the table at a path; `models.NAME` is any name."""
    if not path:
        return list(section.model_fields)
    head, *rest = path
    if section is Project and head == "models":
        return _keys_at(ModelSettings, rest[1:]) if rest else []
    annotation = section.model_fields[head].annotation if head in section.model_fields else None
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    nested = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
    return _keys_at(nested, rest) if nested else []
