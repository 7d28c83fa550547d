"""A registry in memory, for tests and for loops without a server."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from trimtab.errors import UnknownVersionError
from trimtab.policy.descriptions import with_block
from trimtab.records.versions import Alias, ModelVersion

Verify = Callable[[Path, str | None], None]


@dataclass(slots=True)
class MemoryRegistry:
    """Versions by model; their files stay where they were added from."""

    verify: Verify
    """Compares a folder with its manifest: `trimtab.adapters.manifest.verify_manifest`."""
    _versions: dict[str, dict[str, tuple[ModelVersion, Path]]] = field(default_factory=dict)
    _aliases: dict[tuple[str, Alias], str] = field(default_factory=dict)

    def add(self, version: ModelVersion, files: Path) -> None:
        """Register a version with its folder."""
        self._versions.setdefault(version.model, {})[version.version] = (version, files)

    def delete(self, model: str, version: str) -> None:
        """Delete a version; as in MLflow, the aliases that point at it go with it."""
        del self._versions[model][version]
        self._aliases = {
            (name, alias): target
            for (name, alias), target in self._aliases.items()
            if (name, target) != (model, version)
        }

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """List the versions, newest first."""
        known = [version for version, _ in self._versions.get(model, {}).values()]
        return sorted(known, key=lambda version: int(version.version), reverse=True)

    def aliased(self, model: str, alias: Alias) -> str | None:
        """Tell which version an alias points at."""
        return self._aliases.get((model, alias))

    def point(self, model: str, alias: Alias, version: str | None) -> None:
        """Point an alias at a version, or at none. Raises UnknownVersionError."""
        if version is None:
            self._aliases.pop((model, alias), None)
            return
        self._find(model, version)
        self._aliases[model, alias] = version

    def download(self, model: str, version: str, to: Path) -> Path:
        """Copy a version's files into the folder `to`, verify them and return it."""
        known, files = self._find(model, version)
        if to.exists():
            shutil.rmtree(to)
        shutil.copytree(files, to)
        try:
            self.verify(to, known.manifest_sha256)
        except Exception:
            shutil.rmtree(to)
            raise
        return to

    def _find(self, model: str, version: str) -> tuple[ModelVersion, Path]:
        try:
            return self._versions[model][version]
        except KeyError:
            raise UnknownVersionError(model, version) from None


@dataclass(slots=True)
class MemoryReports:
    """Reports in memory, by model and version."""

    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    tags: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    metrics: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    curves: dict[tuple[str, str], dict[str, dict[int, tuple[datetime, float]]]] = field(
        default_factory=dict
    )
    """By name and step."""

    def publish(self, version: ModelVersion, name: str, file: Path) -> str:
        """Add a file under a name; gives its path."""
        self.files[version.model, version.version, name] = file.read_bytes()
        return name

    def link(self, version: ModelVersion, path: str) -> str:
        """Tell where a file is, in words of its own: nobody can open it."""
        return f"memory:{version.model}/{version.version}/{path}"

    def image(self, version: ModelVersion, path: str) -> str:
        """Tell where a picture is, in the words of `link`."""
        return self.link(version, path)

    def annotate(
        self,
        version: ModelVersion,
        *,
        text: str = "",
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Add Markdown to the description (once), tags and metrics."""
        key = (version.model, version.version)
        if text not in self.texts.setdefault(key, ""):
            self.texts[key] = f"{self.texts[key]}\n\n{text}".lstrip()
        self.tags.setdefault(key, {}).update(tags or {})
        self.metrics.setdefault(key, {}).update(metrics or {})

    def describe(self, version: ModelVersion, block: str, text: str) -> None:
        """Put Markdown into the description in the place of the block of that name."""
        key = (version.model, version.version)
        self.texts[key] = with_block(self.texts.get(key, ""), block, text)

    def plot(
        self, version: ModelVersion, figures: Mapping[str, float], *, at: datetime, step: int
    ) -> None:
        """Add a point to each of the version's curves."""
        curves = self.curves.setdefault((version.model, version.version), {})
        for name, figure in figures.items():
            curves.setdefault(name, {})[step] = (at, figure)
