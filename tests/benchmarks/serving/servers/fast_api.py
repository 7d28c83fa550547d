"""A hand-written FastAPI: async, typed, on uvloop and httptools, no access log, nothing captured.

Run as `python fast_api.py SHAPE LEARNER FILES PORT`.
"""

import sys
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
import uvicorn
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel


class Numbers(BaseModel):
    """Rows of floats."""

    data: list[list[float]]


class Cells(BaseModel):
    """Rows of anything."""

    data: list[list[float | str | bool | None]]


class Answer(BaseModel):
    """The probabilities of the second class."""

    probabilities: list[float]


def floats_app(learner: str) -> FastAPI:
    """Serve XGBoost alone, from arrays."""
    app = FastAPI()
    model = xgboost.Booster(model_file=learner)
    model.set_param({"nthread": 1})

    @app.post("/predict")
    async def predict(asked: Numbers) -> Answer:
        rows = np.array(asked.data, dtype=np.float32)
        return Answer(probabilities=model.inplace_predict(rows).tolist())

    return app


def mixed_app(files: str) -> FastAPI:
    """Serve the pipeline as it was registered, from frames."""
    app = FastAPI()
    model = mlflow.sklearn.load_model(files)
    model[-1].set_params(n_jobs=1)
    names = list(model.feature_names_in_)
    numbers = [name for name in names if name.startswith("number_")]

    @app.post("/predict")
    async def predict(asked: Cells) -> Answer:
        rows = pd.DataFrame(asked.data, columns=names)
        rows[numbers] = rows[numbers].astype(float)  # a null says nothing of its column's type
        rows["moment"] = pd.to_datetime(rows["moment"])
        return Answer(probabilities=model.predict_proba(rows)[:, 1].tolist())

    return app


def main() -> None:
    """Serve until the end."""
    shape, learner, files, port = sys.argv[1:]
    app: Any = floats_app(learner) if shape == "floats" else mixed_app(files)

    @app.get("/readyz")  # type: ignore[untyped-decorator]  # the app is one of two
    async def ready() -> str:
        return "ok"

    uvicorn.run(
        app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", access_log=False
    )


if __name__ == "__main__":
    main()
