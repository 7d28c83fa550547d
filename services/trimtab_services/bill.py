"""The bill of materials of a bento, in CycloneDX: its model, its packages, its base image."""

import uuid
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from trimtab.records.versions import Manifest

from .bundle import Bundle
from .requirements import needed_by

_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/trimtab/bento")


def bill_of_materials(bundle: Bundle, manifest: Manifest, base: str) -> str:
    """List what a bento is made of, as CycloneDX 1.6 in JSON. The same bento has the same number.

    Who depends on whom, and under which licence, is taken from what is installed here; of a
    distribution that is installed in another version only its pin is listed.
    """
    served = Component(
        type=ComponentType.APPLICATION, name=bundle.model, version=bundle.version, bom_ref="bento"
    )
    model = _model(bundle, manifest)
    image, _, tag = base.partition(":")
    container = Component(type=ComponentType.CONTAINER, name=image, version=tag, bom_ref="base")
    packages = {component.name: component for component in map(_package, bundle.requirements)}
    identity = f"{bundle.manifest_sha256}/{bundle.code_sha256}/{bundle.requirements}/{base}"
    bom = Bom(
        components=[model, container, *packages.values()],
        serial_number=uuid.uuid5(_SPACE, identity),
    )
    bom.metadata.component = served
    bom.register_dependency(served, [model, container, *packages.values()])
    for name, component in packages.items():
        needed = needed_by(name)
        bom.register_dependency(component, [packages[other] for other in needed & set(packages)])
    return str(JsonV1Dot6(bom).output_as_string(indent=2))


def _model(bundle: Bundle, manifest: Manifest) -> Component:
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=f"{bundle.model} (files)",
        version=bundle.version,
        bom_ref="model",
        hashes=[_sha256(bundle.manifest_sha256)],
        properties=[Property(name="trimtab:code-sha256", value=bundle.code_sha256)],
        components=[
            Component(
                type=ComponentType.FILE,
                name=file.path,
                bom_ref=f"file:{file.path}",
                hashes=[_sha256(file.sha256)],
            )
            for file in manifest.files
        ],
    )


def _package(pin: str) -> Component:
    name, _, version = pin.partition("==")
    return Component(
        type=ComponentType.LIBRARY,
        name=canonicalize_name(name),
        version=version,
        bom_ref=pin,
        purl=PackageURL("pypi", name=canonicalize_name(name), version=version),
        licenses=_licences(name, version),
    )


def _licences(name: str, version: str) -> Iterable[License]:
    try:
        found: Distribution = distribution(name)
    except PackageNotFoundError:
        return []
    if found.version != version:
        return []
    stated = _field(found, "License-Expression") or _classified(found)
    return [LicenseFactory().make_from_string(stated)] if stated else []


def _classified(found: Distribution) -> str:
    """Read the licence of metadata from before there were expressions."""
    classifiers: Sequence[str] = found.metadata.get_all("Classifier") or ()
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    return " / ".join(named) or _field(found, "License").partition("\n")[0]


def _field(found: Distribution, name: str) -> str:
    return found.metadata[name].strip() if name in found.metadata else ""


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
