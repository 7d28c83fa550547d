"""Search trials in MLflow: each one a child of the training's run."""

import time
from collections.abc import Sequence
from typing import Protocol

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from trimtab.adapters.mlflow_calls import Patience
from trimtab.records.searches import SearchState, SearchTrial

NUMBER_TAG = "trimtab.search.trial"
STATE_TAG = "trimtab.search.state"
"""Written with all that is known of a trial."""
_STATUS = {
    SearchState.DONE: "FINISHED",
    SearchState.PRUNED: "KILLED",  # as MLflow's own storage of Optuna's trials has it
    SearchState.FAILED: "FAILED",
}


class Parent(Protocol):
    """The run of the training."""

    id: str
    experiment: str
    tags: dict[str, str]
    """What all runs of its request bear."""


class SearchRuns:
    """The children of one run. A trial may be written twice: it has one child nevertheless."""

    def __init__(self, client: MlflowClient, patiently: Patience, parent: Parent) -> None:
        self._client = client
        self._patiently = patiently
        self._parent = parent

    def keep(self, trials: Sequence[SearchTrial]) -> None:
        """Take over the children of an earlier attempt, and write those that it did not."""
        if not trials:
            return
        found = self._patiently(lambda: self._find(f"tags.`{NUMBER_TAG}` != ''"))
        known = {run.data.tags[NUMBER_TAG]: run for run in found}
        for trial in trials:
            run = known.get(str(trial.number))
            if run is not None and _is_whole(run, trial):
                self._adopt(run)
            else:
                self.write(trial, run)

    def write(self, trial: SearchTrial, run: Run | None = None) -> None:
        """Write a trial that is done, into the child that there is or into a new one."""
        ended = int(time.time() * 1000)
        if run is None:
            run = self._create(trial, ended - round(1000 * trial.seconds))
        else:
            self._adopt(run)
        run_id = str(run.info.run_id)
        metrics = {"seconds": trial.seconds}
        if trial.loss is not None:
            metrics["loss"] = trial.loss
        blocks = [sum(block) / len(block) for block in trial.blocks]
        params = {"candidate": trial.candidate, "window": trial.window, **trial.settings}
        tags = {STATE_TAG: trial.state.value}
        if trial.reason:
            tags["trimtab.search.reason"] = trial.reason
        self._patiently(
            lambda: self._client.log_batch(
                run_id,
                metrics=[
                    *(Metric(name, value, 0, 0) for name, value in metrics.items()),
                    *(Metric("block", value, 0, step) for step, value in enumerate(blocks)),
                ],
                params=[Param(name, str(value)) for name, value in params.items()],
                tags=[RunTag(name, value) for name, value in tags.items()],
            )
        )
        self._patiently(
            lambda: self._client.set_terminated(run_id, _STATUS[trial.state], end_time=ended)
        )

    def _create(self, trial: SearchTrial, began: int) -> Run:
        tags = {
            **self._parent.tags,
            NUMBER_TAG: str(trial.number),
            MLFLOW_PARENT_RUN_ID: self._parent.id,
        }
        name = f"trial {trial.number + 1}: {trial.candidate}, {trial.window}"
        mine = (
            f"tags.`{NUMBER_TAG}` = '{trial.number}' "
            f"and tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent.id}'"
        )
        tried = False

        def attempt() -> Run:
            nonlocal tried
            found = self._find(mine) if tried else []
            tried = True
            if found:
                return found[0]
            return self._client.create_run(self._parent.experiment, began, tags, name)

        return self._patiently(attempt)

    def _adopt(self, run: Run) -> None:
        run_id, parent = str(run.info.run_id), self._parent.id
        self._patiently(lambda: self._client.set_tag(run_id, MLFLOW_PARENT_RUN_ID, parent))

    def _find(self, more: str) -> list[Run]:
        own = [f"tags.`{name}` = '{value}'" for name, value in self._parent.tags.items()]
        return list(self._client.search_runs([self._parent.experiment], " and ".join([*own, more])))


def _is_whole(run: Run, trial: SearchTrial) -> bool:
    """Tell whether a child lacks nothing: what was killed before its end is ended otherwise."""
    is_written = run.data.tags.get(STATE_TAG) == trial.state
    return is_written and run.info.status == _STATUS[trial.state]
