"""Trials and what they rest on."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from trimtab.errors import StaleTrialError
from trimtab.records.tallies import Evidence
from trimtab.records.trials import Trial, TrialState

from .rows import as_record, as_values
from .tables import EvidenceRow, TrialRow


class SqlTrials:
    """The one-running-a-model rule is an index of the table as well."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, trial: Trial) -> bool:
        """Begin a trial; False, and nothing begun, when one is running for the model."""
        if self.running(trial.model) is not None:
            return False
        self._session.add(TrialRow(**as_values(trial)))
        self._session.flush()
        return True

    def running(self, model: str) -> Trial | None:
        """Give the trial that is running."""
        query = select(TrialRow).where(
            TrialRow.model == model, TrialRow.state == TrialState.RUNNING
        )
        row = self._session.scalars(query).first()
        return as_record(Trial, row) if row else None

    def save(self, trial: Trial, evidence: Evidence | None = None) -> None:
        """Write the next revision of a running trial. Raises StaleTrialError."""
        changed = self._session.execute(
            update(TrialRow)
            .where(
                TrialRow.id == trial.id,
                TrialRow.state == TrialState.RUNNING,
                TrialRow.revision == trial.revision - 1,
            )
            .values(**as_values(trial))
            .returning(TrialRow.id)
        )
        if changed.first() is None:
            raise StaleTrialError(trial.model, trial.id)
        if evidence is not None:
            self._session.merge(EvidenceRow(trial=trial.id, evidence=evidence))
            self._session.flush()

    def evidence(self, trial_id: str) -> Evidence | None:
        """Give what a trial rests on; None until anything was compared."""
        row = self._session.get(EvidenceRow, trial_id)
        found: Evidence | None = row.evidence if row else None
        return found

    def recent(self, model: str, *, limit: int = 20) -> Sequence[Trial]:
        """List trials, newest first, the running one included."""
        query = (
            select(TrialRow)
            .where(TrialRow.model == model)
            # One ends as the next begins: at one moment, the one that runs is the newer.
            .order_by(TrialRow.began_at.desc(), TrialRow.ended_at.isnot(None), TrialRow.id)
            .limit(limit)
        )
        return [as_record(Trial, row) for row in self._session.scalars(query)]
