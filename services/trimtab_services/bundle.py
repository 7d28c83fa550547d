"""What a bento of ours carries in its `src` folder, besides code: one version, and its story."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import trimtab
import trimtab_services
from trimtab.adapters.manifest import read_verified
from trimtab.records.contracts import Contract
from trimtab.records.devices import WantedDevice
from trimtab.records.documents import from_json, to_json
from trimtab.records.plans import ServingPlan

FILE = "bundle.json"
PLAN_FILE = "plan.json"
VERSION_FOLDER = "version"
"""The version's files under their manifest, exactly as the registry gave them."""
CONTRACT_FILE = "contract.json"
LEFT_OUT = frozenset({"__pycache__", "testing", "testing.py"})
"""Of our packages; no endpoint needs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Kept in every bento as `bundle.json`."""

    model: str
    version: str
    manifest_sha256: str
    """The hash of the manifest that was in force when the bento was built."""
    code_sha256: str
    """Over the Trimtab sources in the bento."""
    requirements: tuple[str, ...]
    """Every distribution the endpoint needs, pinned."""
    device: WantedDevice
    max_rows: int
    max_body: int = 1 << 20
    capture_drop: tuple[str, ...] = ()
    """Inputs that are not captured, wherever the bento is served."""
    capture_hash: tuple[str, ...] = ()
    """Inputs of which a keyed hash is captured."""
    capture_hash_keys: bool = False


def digest_of(*packages: Path) -> str:
    """Hash the files of some packages by name and content, but for what is left out of bentos."""
    digest = hashlib.sha256()
    for package in packages:
        for file in sorted(package.rglob("*")):
            if file.is_file() and LEFT_OUT.isdisjoint(file.relative_to(package).parts):
                digest.update(file.relative_to(package.parent).as_posix().encode() + b"\0")
                digest.update(file.read_bytes())
    return digest.hexdigest()


def installed_code() -> str:
    """Hash the Trimtab code of this process, as a bento that is built now carries it."""
    packages = (trimtab, trimtab_services)
    return digest_of(*(Path(str(package.__file__)).parent for package in packages))


def source_of(bento: Path) -> Path:
    """Give the folder of a built bento that holds code and version."""
    return bento / "src"


def read_bundle(source: Path) -> Bundle:
    """Read what a bento says of itself. Raises OSError or ValueError when it is none of ours."""
    return from_json(Bundle, (source / FILE).read_bytes())


def write_bundle(source: Path, bundle: Bundle) -> None:
    """Write it, once, when the bento is built."""
    (source / FILE).write_bytes(to_json(bundle, indent=2))


def read_plan(source: Path) -> ServingPlan:
    """Read how the version is served. Raises OSError or ValueError when nobody measured it."""
    return from_json(ServingPlan, (source / PLAN_FILE).read_bytes())


def write_plan(source: Path, plan: ServingPlan) -> None:
    """Write it, once, when the bento is proven."""
    (source / PLAN_FILE).write_bytes(to_json(plan, indent=2))


def read_contract(source: Path) -> Contract:
    """Read the contract of the bento's version. Raises ManifestError when it was changed."""
    sha256 = read_bundle(source).manifest_sha256
    return from_json(Contract, read_verified(source / VERSION_FOLDER, CONTRACT_FILE, sha256))


def can_follow(source: Path, running: Path) -> bool:
    """Tell whether a process that runs one bento's sources can take in another's version.

    It can where both have the same code, the same environment and the same typed request.
    """
    new, old = read_bundle(source), read_bundle(running)
    return (new.code_sha256, new.requirements, read_contract(source)) == (
        old.code_sha256,
        old.requirements,
        read_contract(running),
    )
