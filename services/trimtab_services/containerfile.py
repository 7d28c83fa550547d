"""The Containerfile beside an exported bento: built in two steps, proven, and closed."""

from trimtab.records.devices import is_gpu

from .bundle import Bundle
from .image import NVIDIA, UV, base_image, has_python, python_image, python_version

LOCK = "requirements.lock"
SUMS = "SHA256SUMS"
_USER = "10001:10001"
_READY = "import urllib.request as r; r.urlopen('http://127.0.0.1:3000/readyz', timeout=3)"
_PACKAGES = "--no-deps --only-binary :all:"
_TEMPLATE = """\
# {model} version {version}: made by `trimtab build --export`, and not to be edited.
#   podman build --tag {model}:{version} .
# Tags can move: where that matters, replace each by the digest that was tested.
FROM {python_image} AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_PROGRESS=1 {downloads}
RUN pip install --no-cache-dir uv=={uv}
WORKDIR /build
COPY {lock} ./
RUN uv venv{venv} --python {python} /app/venv \\
    && uv pip install --python /app/venv {packages} --requirements {lock}
COPY {archive} {sums} ./
# Nothing leaves this step but a bento that gives its trainer's answers with these packages.
RUN sha256sum --check --ignore-missing --quiet {sums} \\
    && python -m tarfile --extract {archive} /app/bento \\
    && PYTHONPATH=/app/bento/src /app/venv/bin/python -P -m trimtab_services.prove /app/bento \\
    && /app/venv/bin/python -m compileall -q /app/bento/src


FROM {base}
LABEL org.opencontainers.image.title="{model}" \\
      org.opencontainers.image.version="{version}" \\
      org.trimtab.manifest="sha256:{manifest}"
RUN {closing}groupadd --gid 10001 trimtab \\
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin trimtab
COPY --from=build /app /app
# It listens to others, and so it starts only with TRIMTAB_API_KEY or TRIMTAB_API_KEYS_FILE.
ENV PATH=/app/venv/bin:$PATH \\
    PYTHONPATH=/app/bento/src \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1 \\
    HOME=/tmp \\
    OMP_NUM_THREADS=1 \\
    BENTOML_HOME=/tmp/bentoml \\
    BENTOML_HOST=0.0.0.0 \\
    BENTOML_PORT=3000 \\
    BENTOML_DO_NOT_TRACK=True \\
    DO_NOT_TRACK=true{gpu}
EXPOSE 3000
# All of it belongs to root: run it with --read-only --cap-drop=ALL, and /tmp as a tmpfs.
USER {user}
WORKDIR /tmp
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \\
    CMD ["python", "-c", "{ready}"]
ENTRYPOINT ["python", "-P", "-m", "trimtab_services.alone", "/app/bento"]
"""


def containerfile(bundle: Bundle, archive: str, *, has_hashes: bool) -> str:
    """Write it for an archive and a lock that lie beside it.

    A GPU bento ends on an image of CUDA's, which has no Python, so it takes its own along.
    """
    base = base_image(bundle.device)
    is_own_python = not has_python(base)
    return _TEMPLATE.format(
        model=bundle.model,
        version=bundle.version,
        manifest=bundle.manifest_sha256,
        python_image=python_image(),
        python=python_version(),
        uv=UV,
        downloads="UV_PYTHON_INSTALL_DIR=/app/python"
        if is_own_python
        else "UV_PYTHON_DOWNLOADS=never",
        venv=" --managed-python" if is_own_python else "",
        packages=f"{_PACKAGES} --require-hashes" if has_hashes else _PACKAGES,
        lock=LOCK,
        sums=SUMS,
        archive=archive,
        base=base,
        closing="" if is_own_python else "pip uninstall --yes --quiet pip && ",
        gpu=_environment() if is_gpu(bundle.device) else "",
        user=_USER,
        ready=_READY,
    )


def _environment() -> str:
    return "".join(f" \\\n    {name}={value}" for name, value in NVIDIA.items())
