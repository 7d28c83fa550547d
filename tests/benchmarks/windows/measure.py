"""What the training window does to the flights: `python tests/benchmarks/windows/measure.py`.

A model of flights out of New York is trained anew every six weeks, with each window, with the one
that the search chooses, and never; each is asked about the six weeks that follow.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np
import pandas as pd

from trimtab.policy.losses import losses
from trimtab.settings import load
from trimtab.settings.project import ModelSettings
from trimtab_pipelines.collect import known_rows
from trimtab_pipelines.fitting import predictor_of
from trimtab_pipelines.selecting import Selected, prepare, select
from trimtab_pipelines.sources import read

EXAMPLE = Path(__file__).parents[3] / "examples" / "flights"
WINDOWS = ("all", "recent", "30d", "weighted", "weighted 30d")
CHOSEN = ("all", "recent", "weighted")  # what competes unless a project says otherwise
FIRST = datetime(2013, 4, 1, tzinfo=UTC)
STEP = timedelta(weeks=6)
NEVER, SEARCHED = "never again", "searched"


@click.command()
@click.option("--rounds", default=6, show_default=True, help="How many trainings, six weeks apart.")
@click.option("--learner", default="xgboost", show_default=True, help="Which candidate.")
def main(rounds: int, learner: str) -> None:
    """Print a table of losses, and of the windows that the search chose."""
    settings = load(EXAMPLE).model("late-arrival")
    rows = read(settings, EXAMPLE, FIRST + (rounds + 1) * STEP)
    kept: dict[str, Selected] = {}
    print(_line(["trained", *WINDOWS, SEARCHED, NEVER, "chosen"]))  # noqa: T201
    print(_line(["---"] * (len(WINDOWS) + 4)))  # noqa: T201
    total: dict[str, list[float]] = {}
    for number in range(rounds):
        until = FIRST + number * STEP
        made = {w: _made(rows, _with(settings, learner, (w,), 0), until) for w in WINDOWS}
        chosen = str(_chosen(rows, _with(settings, learner, CHOSEN, len(CHOSEN)), until))
        kept.setdefault(NEVER, made["all"])
        made |= {SEARCHED: made[chosen], NEVER: kept[NEVER]}
        found = _losses(made, rows, until)
        for name, loss in found.items():
            total.setdefault(name, []).append(loss)
        print(_line([f"{until:%Y-%m-%d}", *_shown(found), chosen]), flush=True)  # noqa: T201
    print(_line(["mean", *_shown({n: float(np.mean(f)) for n, f in total.items()}), ""]))  # noqa: T201


def _with(
    settings: ModelSettings, learner: str, windows: tuple[str, ...], trials: int
) -> ModelSettings:
    shown = settings.train.model_dump(mode="json") | {
        "candidates": [learner],
        "window": windows,
        "search": {"trials": trials, "time_limit": "1h"},
    }
    train = type(settings.train).model_validate(shown)
    return settings.model_copy(update={"train": train})


def _made(rows: pd.DataFrame, settings: ModelSettings, until: datetime) -> Selected:
    known = known_rows(rows, settings, until)
    return select(prepare(known, "late-arrival", settings, until), settings)


def _chosen(rows: pd.DataFrame, settings: ModelSettings, until: datetime) -> object:
    return _made(rows, settings, until).searched.window


def _losses(made: Mapping[str, Selected], rows: pd.DataFrame, until: datetime) -> dict[str, float]:
    """Ask the final models about the six weeks that follow."""
    time = pd.to_datetime(rows["scheduled_departure"], utc=True)
    asked = rows[(time >= until) & (time < until + STEP)]
    answered: dict[int, float] = {}
    for selected in made.values():
        if id(selected) in answered:
            continue
        best, checked = selected.best, selected.checked
        final = best.recipe.refit(best.pipeline, checked.inputs, checked.truth, checked.weights)
        answers = predictor_of(checked.contract, final).predict(asked)
        labels = asked["late"].to_numpy(dtype=object)
        found = losses(
            "log_loss", checked.contract, answers.probabilities, answers.predictions, labels
        )
        answered[id(selected)] = float(found.mean())
    return {name: answered[id(selected)] for name, selected in made.items()}


def _shown(found: Mapping[str, float]) -> list[str]:
    return [f"{found[name]:.4f}" for name in (*WINDOWS, SEARCHED, NEVER)]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
