"""NannyML at work, in an environment of its own: folders come in by line, alerts go out.

Knows nothing of this repository. Each folder holds `task.json`, `reference.parquet` and
`windows.parquet`; windows of the same number of rows follow each other. `alerts.json` is written.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import nannyml  # type: ignore[import-not-found]  # it is not installed beside us
import pandas as pd

TRUTH, OUTPUT, PREDICTION = "(truth)", "(output)", "(prediction)"


def main() -> None:
    """Work off what comes in."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        folder = Path(line.strip())
        task = json.loads((folder / "task.json").read_text())
        reference = pd.read_parquet(folder / "reference.parquet")
        windows = pd.read_parquet(folder / "windows.parquet")
        found: dict[str, Any] = {}
        for name, ask in (("drift", drift), ("estimate", estimate)):
            try:
                found[name] = ask(task, reference, windows)
            except Exception as error:  # odd windows raise a dozen kinds
                found[name] = None
                sys.stderr.write(f"NannyML, {name}: {type(error).__name__}: {error}\n")
        (folder / "alerts.json").write_text(json.dumps(found))
        sys.stdout.write("done\n")
        sys.stdout.flush()


def drift(task: dict[str, Any], reference: pd.DataFrame, windows: pd.DataFrame) -> list[list[str]]:
    """Name the columns of each window that are beyond three deviations of the reference's own."""
    columns = task["columns"]
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=columns,
        treat_as_categorical=task["categories"] or None,
        chunk_size=task["rows"],
    )
    result = calculator.fit(reference).calculate(windows).filter(period="analysis").to_df()
    alerts = result.loc[:, (slice(None), slice(None), "alert")]
    flags = alerts.set_axis([name for name, _, _ in alerts.columns], axis=1)
    return [[str(name) for name, alert in row.items() if alert] for _, row in flags.iterrows()]


def estimate(
    task: dict[str, Any], reference: pd.DataFrame, windows: pd.DataFrame
) -> list[list[str]]:
    """Tell of each window whether its estimated performance is out of the usual."""
    if task["binary"]:
        metric = "roc_auc"
        estimator = nannyml.CBPE(
            metrics=[metric],
            y_pred_proba=OUTPUT,
            y_pred=PREDICTION,
            y_true=TRUTH,
            problem_type="classification_binary",
            chunk_size=task["rows"],
        )
    else:
        metric = "rmse"
        estimator = nannyml.DLE(
            feature_column_names=[name for name in task["columns"] if name != OUTPUT],
            y_pred=OUTPUT,
            y_true=TRUTH,
            metrics=[metric],
            chunk_size=task["rows"],
        )
    estimator.fit(reference)
    result = estimator.estimate(windows).filter(period="analysis").to_df()
    return [[metric] if alert else [] for alert in result[(metric, "alert")]]


if __name__ == "__main__":
    main()
