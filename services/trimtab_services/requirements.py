"""The distributions that an endpoint needs, every one pinned, its own dependencies included."""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from trimtab.errors import ExitCode, TrimtabError

ROOTS = (
    "bentoml",
    "msgspec",
    "numpy",
    "opentelemetry-exporter-otlp-proto-http",
    "orjson",
    "pandas",
    "prometheus-client",
    "pyarrow",
    "pydantic",
    "pydantic-settings",
    "scikit-learn",
    "skops",
    "uvicorn[standard]",
    "xgboost",
)
"""What the sources in a bento import."""
_NOT_SERVED = frozenset({"mlflow", "mlflow-skinny", "trimtab", "trimtab-pipelines"})
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;,]+)")


class WrongEnvironmentError(TrimtabError):
    """Packages are missing here, or differ from those of the run in their major version."""

    exit_code = ExitCode.REFUSED

    def __init__(self, differing: Sequence[str]) -> None:
        super().__init__("; ".join(differing))


def locked(run: Path) -> tuple[str, ...]:
    """Pin everything an endpoint needs: as the run had it, and as it is installed here else.

    `run` is the `requirements.txt` that the training run logged with its model.
    """
    pins = {**_installed(ROOTS), **read_pins(run)}
    return tuple(f"{name}=={pins[name]}" for name in sorted(pins))


def read_pins(file: Path) -> Mapping[str, str]:
    """Read the pins of a requirements file; what only trains is left out."""
    lines = file.read_text().splitlines() if file.is_file() else []
    found = (_PIN.match(line.strip()) for line in lines)
    pins = {canonicalize_name(match[1]): match[2] for match in found if match}
    return {name: version for name, version in pins.items() if name not in _NOT_SERVED}


def compare(requirements: Sequence[str]) -> tuple[list[str], list[str]]:
    """Compare pins with what is installed: what rules serving out, and what is worth saying."""
    fatal, minor = [], []
    for line in requirements:
        name, _, wanted = line.partition("==")
        try:
            found = distribution(name).version
        except PackageNotFoundError:
            fatal.append(f"{name} {wanted} is not installed")
            continue
        if found.split(".")[0] != wanted.split(".")[0]:
            fatal.append(f"{name} is {found}, and the run had {wanted}")
        elif found != wanted:
            minor.append(f"{name} is {found}, and the run had {wanted}")
    return fatal, minor


def require_environment(requirements: Sequence[str]) -> list[str]:
    """Tell in which packages this environment is not quite that of the run.

    Raises WrongEnvironmentError where the difference rules serving out.
    """
    fatal, minor = compare(requirements)
    if fatal:
        raise WrongEnvironmentError(fatal)
    return minor


def needed_by(name: str) -> set[str]:
    """Name the distributions that one asks for, as it is installed here; none where it is not."""
    try:
        lines = distribution(name).requires or ()
    except PackageNotFoundError:
        return set()
    return {canonicalize_name(needed.name) for needed in _needs(lines, set())}


def _installed(roots: Iterable[str]) -> dict[str, str]:
    pins: dict[str, str] = {}
    waiting, seen = [Requirement(root) for root in roots], set[str]()
    while waiting:
        needed = waiting.pop()
        if str(needed) in seen:
            continue
        seen.add(str(needed))
        try:
            found = distribution(needed.name)
        except PackageNotFoundError:
            continue  # left out of this platform on purpose; the proof tells whether it is missed
        pins[canonicalize_name(needed.name)] = found.version
        waiting.extend(_needs(found.requires or (), needed.extras))
    return pins


def _needs(lines: Iterable[str], extras: set[str]) -> Iterable[Requirement]:
    for line in lines:
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        marker = needed.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            yield needed
