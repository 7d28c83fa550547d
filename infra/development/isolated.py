"""Import every module of a component, and see that what it must not carry is not there.

Run by `make isolate` in an environment that holds only that component's dependencies.
"""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pkgutil import walk_packages

NOT_IMPORTED = {
    # Behind the extra `models`, which the components that run versions ask for.
    "trimtab.adapters.embedding",
    "trimtab.adapters.golden",
    "trimtab.adapters.lowering",
    "trimtab.adapters.predictor",
    # Runs inside a built bento only.
    "trimtab_services.entry",
}


def modules_of(package: str) -> Iterator[str]:
    """Name the package's modules that a bare installation must be able to import."""
    yield package
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        if module.name not in NOT_IMPORTED and not module.name.endswith(".__main__"):
            yield module.name


def is_installed(name: str) -> bool:
    """Tell whether a distribution is in this environment."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def main() -> None:
    """Exit with a message that names the first thing that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("--without", nargs="*", default=[], metavar="DISTRIBUTION")
    asked = parser.parse_args()

    present = [name for name in asked.without if is_installed(name)]
    if present:
        sys.exit(f"{asked.package} must not carry {', '.join(present)}, but it is installed.")
    names = list(modules_of(asked.package))
    for name in names:
        try:
            import_module(name)
        except ImportError as error:
            sys.exit(f"{name} does not import with its own dependencies alone: {error}")
    sys.stdout.write(f"{asked.package}: {len(names)} modules import; absent: {asked.without}\n")


if __name__ == "__main__":
    main()
