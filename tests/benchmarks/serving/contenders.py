"""Who is measured: our endpoint, its peers, and the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

from . import forms, starting
from .forms import Form
from .results import Role
from .starting import Start


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A server and one form of asking it."""

    name: str
    words: str
    role: Role
    start: Start
    """Contenders that start the same are asked of one process."""
    form: Form
    path: str = "/predict"
    shapes: Sequence[str] = ("floats", "mixed")


TRIMTAB = Contender(
    name="trimtab",
    words="our endpoint, rows by name",
    role=Role.OURS,
    start=starting.trimtab_host,
    form=forms.TRIMTAB_ROWS,
)
CONTENDERS = (
    TRIMTAB,
    Contender(
        name="trimtab-table",
        words="our endpoint, columns once and rows as lists",
        role=Role.OURS,
        start=starting.trimtab_host,
        form=forms.TRIMTAB_TABLE,
    ),
    Contender(
        name="trimtab-bentoml",
        words="our bento under plain `bentoml serve`",
        role=Role.INFORMATION,
        start=starting.trimtab_in_bentoml,
        form=forms.TRIMTAB_ROWS,
    ),
    Contender(
        name="mlflow",
        words="`mlflow models serve`",
        role=Role.PEER,
        start=starting.mlflow_serve,
        form=forms.MLFLOW_SPLIT,
        path="/invocations",
    ),
    Contender(
        name="bentoml-array",
        words="plain BentoML service, ndarray",
        role=Role.PEER,
        start=starting.plain_bento("Array"),
        form=forms.BENTO_ARRAY,
        shapes=("floats",),
    ),
    Contender(
        name="bentoml-frame",
        words="plain BentoML service, DataFrame",
        role=Role.PEER,
        start=starting.plain_bento("Frame"),
        form=forms.BENTO_COLUMNS,
    ),
    Contender(
        name="mlserver",
        words="MLServer, XGBoost runtime",
        role=Role.PEER,
        start=starting.mlserver_xgboost,
        form=forms.V2_TENSOR,
        path="/v2/models/bench/infer",
        shapes=("floats",),
    ),
    Contender(
        name="fastapi",
        words="hand-written async FastAPI, no capture",
        role=Role.PEER,
        start=starting.fast_api,
        form=forms.MATRIX,
    ),
    Contender(
        name="floor",
        words="raw ASGI loop, our predictor and capture",
        role=Role.PEER,
        start=starting.floor,
        form=forms.TRIMTAB_TABLE,
    ),
)
