"""The versions under watch: fetched once, kept at hand."""

from collections import OrderedDict
from dataclasses import dataclass, field

from trimtab.adapters.watched_files import load_version
from trimtab.errors import UnknownVersionError
from trimtab.policy.watched import WatchedVersion
from trimtab.ports import ModelRegistry
from trimtab.records.versions import ModelVersion
from trimtab.settings import Home

_AT_HAND = 4  # more than a champion and its predecessor seldom serve in one window


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """Verified local copies of versions; a copy that an endpoint made serves as well."""

    registry: ModelRegistry
    home: Home
    _loaded: OrderedDict[tuple[str, str], tuple[ModelVersion, WatchedVersion]] = field(
        default_factory=OrderedDict
    )

    def get(self, model: str, version: str) -> tuple[ModelVersion, WatchedVersion]:
        """Give a version and its files. Raises UnknownVersionError, ManifestError."""
        if (model, version) not in self._loaded:
            self._loaded[model, version] = self._load(model, version)
        self._loaded.move_to_end((model, version))
        while len(self._loaded) > _AT_HAND:
            self._loaded.popitem(last=False)
        return self._loaded[model, version]

    def _load(self, model: str, version: str) -> tuple[ModelVersion, WatchedVersion]:
        known = {found.version: found for found in self.registry.versions(model)}
        if version not in known:
            raise UnknownVersionError(model, version)
        folder = self.registry.download(model, version, self.home.version(model, version))
        return known[version], load_version(version, folder)
