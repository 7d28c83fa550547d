"""The match: challenger and champion score the same newest rows, which neither was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from trimtab.policy.gate import compare, with_checks
from trimtab.policy.looks import asked_of, before, digest_of, words
from trimtab.policy.losses import numbers
from trimtab.policy.reliability import calibration_check
from trimtab.records.contracts import Task
from trimtab.records.gate import GateCheck, GateResult
from trimtab.records.looks import Look
from trimtab.records.versions import ModelVersion
from trimtab.settings import ModelSettings

from .contenders import Contender
from .errors import NoTrialRowsError
from .facts import unseen
from .grouping import blocks_of, places_of, slices_of
from .measured import Measured


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match:
    """Both sides' losses on the same rows, and what the gate needs to judge them."""

    settings: ModelSettings
    rows: pd.DataFrame
    """In time order."""
    champion: Measured
    """Or the baseline."""
    challenger: Measured
    blocks: np.ndarray
    places: np.ndarray
    """Of each row: seconds since 1970, or its number where the model has no time."""
    slices: dict[str, np.ndarray]
    is_against_champion: bool
    remarks: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Sign the comparison: it is the same again when the losses are."""
        sides = self.champion.losses, self.challenger.losses
        return digest_of(self.settings.metric, sides[0], sides[1])

    def judge(self, looks: Sequence[Look], checks: Sequence[GateCheck] = ()) -> GateResult:
        """Let the gate judge; `looks` are all there were, `checks` are added to its own."""
        gate, metric, seed = self.settings.gate, self.settings.metric, self.settings.train.seed
        asked = asked_of(gate.confidence, self.places, before(looks, self.digest))
        result = compare(
            self.champion.losses,
            self.challenger.losses,
            blocks=self.blocks,
            slices=self.slices,
            metric=metric,
            confidence=gate.confidence,
            min_rows=gate.min_rows,
            seed=seed,
            margin=gate.margin,
            slice_margin=gate.slice_margin,
            asked=asked,
        )
        return with_checks(
            result, [*self._calibration(), *checks], [*filter(None, [words(asked)]), *self.remarks]
        )

    def look(
        self,
        result: GateResult,
        version: ModelVersion,
        champion: str | None,
        *,
        number: int,
        at: datetime,
    ) -> Look:
        """Give what is kept of a judgement, so that the next one asks for more."""
        return Look(
            model=version.model,
            number=number,
            at=at,
            challenger=version.version,
            challenger_sha256=version.manifest_sha256,
            champion=champion,
            start=float(self.places.min()),
            end=float(self.places.max()),
            rows=len(self.places),
            digest=self.digest,
            confidence=result.asked.confidence if result.asked else result.confidence,
            passed=result.passed,
        )

    def _calibration(self) -> list[GateCheck]:
        """Compare the calibration with that of a champion; the baseline's means nothing."""
        sides = [(side.said, side.happened) for side in (self.champion, self.challenger)]
        told = [(said, came) for said, came in sides if said is not None and came is not None]
        if len(told) < 2 or not self.is_against_champion:
            return []
        gate = self.settings.gate
        check = calibration_check(
            told[0],
            told[1],
            blocks=self.blocks,
            margin=gate.calibration_margin,
            confidence=gate.confidence,
            min_rows=gate.min_rows,
            seed=self.settings.train.seed,
        )
        return [check]


def judge(
    settings: ModelSettings,
    rows: pd.DataFrame,
    challenger: Contender,
    champion: Contender | None,
) -> GateResult:
    """Compare two versions on what they say, as if nobody had looked at the rows before."""
    return meet(settings, rows, challenger, champion).judge(())


def meet(
    settings: ModelSettings,
    rows: pd.DataFrame,
    challenger: Contender,
    champion: Contender | None,
) -> Match:
    """Let a challenger and the champion, or the baseline where there is none, answer the rows.

    `rows` are all that are known, in time order. Raises SettingsError when a slice is no column,
    FrameError when the rows lack an input, NoTrialRowsError when none is new to both.
    """
    versions = [c.version for c in (challenger, champion) if c is not None]
    rows = rows.reset_index(drop=True)
    places = places_of(settings, rows)
    trial = unseen(settings, rows, *versions)
    usable = _usable(settings, trial)
    left_out, trial = int((~usable).sum()), trial[usable]
    if trial.empty:
        raise NoTrialRowsError(version.version for version in versions)
    labels = _labels(settings, trial)
    defender = champion or challenger.baseline
    sides = [side.measured(settings.metric, trial, labels) for side in (defender, challenger)]
    return Match(
        settings=settings,
        rows=trial,
        champion=sides[0],
        challenger=sides[1],
        blocks=blocks_of(settings, trial),
        places=places[trial.index],
        slices=slices_of(settings, trial),
        is_against_champion=champion is not None,
        remarks=(*_left_out(left_out), *_unknown(sides)),
    )


def _usable(settings: ModelSettings, rows: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which rows have a label that can be compared with, whoever answered."""
    if settings.target is None:
        return pd.Series(True, index=rows.index)
    labels = rows[settings.target]
    known: pd.Series[bool] = labels.notna()
    if settings.task is Task.REGRESSION:
        known &= np.isfinite(numbers(labels.to_numpy(dtype=object)))
    return known


def _labels(settings: ModelSettings, rows: pd.DataFrame) -> "pd.Series[Any]":
    if settings.target is None:
        return pd.Series(np.nan, index=rows.index)
    return rows[settings.target]


def _left_out(count: int) -> list[str]:
    return [f"{count:,} rows without a usable label are left out for both."] if count else []


def _unknown(sides: Sequence[Measured]) -> list[str]:
    """Say that classes have come up which a side does not know."""
    return [
        f"{side.unknown:,} rows have a label that the {who} does not know, and so gave no chance."
        for who, side in zip(("champion", "challenger"), sides, strict=True)
        if side.unknown
    ]
