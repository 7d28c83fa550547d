"""BentoML's own build, in a process of its own: a second one would pack the first one's service.

Run as `python -m trimtab_services.pack CONTEXT` with BENTOML_HOME set; prints the bento's folder.
"""

import sys
from pathlib import Path

import bentoml

from .bundle import read_bundle


def pack(context: Path) -> Path:
    """Build a bento out of a folder of sources and give its folder in the store."""
    bundle = read_bundle(context)
    bento = bentoml.build(
        "service:Served",
        name=bundle.model,
        version=bundle.version,
        build_ctx=str(context),
        include=["*"],
        description=f"Version {bundle.version} of {bundle.model}, packaged by Trimtab.",
    )
    return Path(bento.path)


if __name__ == "__main__":
    sys.stdout.write(str(pack(Path(sys.argv[1]))))
