"""BentoML as its guides show it, with nothing set: a DataFrame or an array in, an array out."""

import os
from pathlib import Path
from typing import Annotated

import bentoml
import mlflow.sklearn
import numpy as np
import pandas as pd
import xgboost
from bentoml.validators import DataframeSchema

LEARNER, FILES = Path(os.environ["LEARNER"]), Path(os.environ["FILES"])


@bentoml.service(workers=1)
class Array:
    """XGBoost alone."""

    def __init__(self) -> None:
        self.model = xgboost.XGBClassifier(n_jobs=1)
        self.model.load_model(LEARNER)

    @bentoml.api  # type: ignore[untyped-decorator]  # BentoML types it for its own classes only
    def predict(self, x: np.ndarray) -> np.ndarray:
        """Answer the probabilities of both classes."""
        return np.asarray(self.model.predict_proba(x))


@bentoml.service(workers=1)
class Frame:
    """The pipeline as it was registered."""

    def __init__(self) -> None:
        self.model = mlflow.sklearn.load_model(str(FILES))
        self.model[-1].set_params(n_jobs=1)

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(
        self, frame: Annotated[pd.DataFrame, DataframeSchema(orient="columns")]
    ) -> np.ndarray:
        """Answer the probabilities of both classes."""
        if "moment" in frame:  # JSON has no times, and a null says nothing of its column's type
            numbers = frame.columns[frame.columns.str.startswith("number_")]
            frame[numbers] = frame[numbers].astype(float)
            frame["moment"] = pd.to_datetime(frame["moment"])
        return np.asarray(self.model.predict_proba(frame))
