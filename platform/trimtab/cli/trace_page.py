"""A trace for a terminal of eighty columns: one hop after the other."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from trimtab.records.durations import format_duration
from trimtab.records.predictions import LoggedPrediction
from trimtab.records.traces import Role, Since, Tenure, Trace, TracedVerdict, Whereabouts

_SHOWN = 12
"""Inputs and packages that are told one by one; --json has them all."""
_LONGEST = 60


def page_of(trace: Trace) -> Table:
    """Lay a trace out."""
    table = Table(title=trace.prediction.id, title_justify="left", show_header=False, box=None)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(trace):
        table.add_row(name, Text(text))  # which may hold names and values of the data
    for gap in trace.gaps:
        table.add_row("not told", Text(f"{gap.hop}: {gap.why}"), style="yellow")
    return table


def line_of(prediction: LoggedPrediction) -> str:
    """Put a prediction in one line."""
    at, answer = f"{prediction.time:%Y-%m-%d %H:%M:%S}", _short(prediction.prediction)
    return f"{prediction.id}  {at}  v{prediction.version}  {answer}"


def _lines(trace: Trace) -> Iterator[tuple[str, str]]:
    yield from _asked(trace)
    yield "version", f"{trace.prediction.version} of {trace.prediction.model}"
    yield "", trace.version_page
    yield "role then", _role(trace.tenure)
    if trace.tenure.promotion:
        yield "because", "; ".join(trace.tenure.promotion.reasons)
    yield "since then", _since(trace.tenure)
    yield from _made(trace)
    yield from _judged(trace)


def _asked(trace: Trace) -> Iterator[tuple[str, str]]:
    asked = trace.prediction
    took = f"{asked.latency_us / 1000:.1f} ms on {asked.device or 'an unknown device'}"
    by = f" by {asked.source}" if asked.source else ""
    yield "asked", f"{_time(asked.received)}{by}, answered in {took}"
    if abs(asked.received - asked.time) >= timedelta(seconds=1):
        yield "event", _time(asked.time)
    if asked.key is not None:
        yield "key", asked.key
    if trace.found_in is not Whereabouts.LOG:
        yield "lies in", f"the {trace.found_in}, not yet in the inference log"
    given = list(asked.inputs.items())
    yield (
        "inputs",
        ", ".join(f"{name} {_short(value)}" for name, value in given[:_SHOWN])
        + (f" and {len(given) - _SHOWN} more (--json)" if len(given) > _SHOWN else ""),
    )
    yield "answer", _answer(trace)
    if asked.detail:
        yield "", asked.detail


def _answer(trace: Trace) -> str:
    shares, classes = trace.prediction.probabilities, trace.classes
    answer = _short(trace.prediction.prediction)
    if shares is None:
        return answer
    names = classes if len(classes) == len(shares) else tuple(map(str, range(len(shares))))
    likely = sorted(zip(shares, names, strict=True), reverse=True)[:5]
    return f"{answer} ({', '.join(f'{name} {share:.4g}' for share, name in likely)})"


def _role(tenure: Tenure) -> str:
    if tenure.trial is not None:
        trial = tenure.trial
        share = f" for {trial.share * 100:g}% of the requests" if trial.share else ""
        return f"{tenure.role}{share}, trial {trial.id} by {trial.by} from {_time(trial.began_at)}"
    if tenure.promotion is not None:
        move = tenure.promotion
        return f"{tenure.role}, promoted {_time(move.at)} by {move.actor} (epoch {move.epoch})"
    return str(tenure.role)


def _since(tenure: Tenure) -> str:
    what = "champion" if tenure.role is not Role.CANARY else "canary"
    match tenure.since:
        case Since.UNCHANGED:
            return f"it still is {what}"
        case Since.REPLACED if tenure.by and tenure.changed_at:
            return f"replaced by version {tenure.by.version}, {_time(tenure.changed_at)}"
        case Since.ROLLED_BACK if tenure.by and tenure.changed_at:
            why = "; ".join(tenure.by.reasons)
            return f"rolled back to version {tenure.by.version}, {_time(tenure.changed_at)}: {why}"
        case Since.ENDED if tenure.trial and tenure.changed_at:
            why = "; ".join(tenure.trial.ended_because)
            return f"the trial ended {_time(tenure.changed_at)}: {why}"
        case _:
            return "unknown"


def _made(trace: Trace) -> Iterator[tuple[str, str]]:
    if trace.request:
        asked = trace.request
        yield "trained for", f"{asked.trigger}, asked by {asked.asked_by} {_time(asked.asked_at)}"
    if trace.run:
        run = trace.run
        yield "run", f"{run.id} ({run.status})"
        yield "", run.page
        yield "code", f"Trimtab {run.code}" + (f", project at {run.commit}" if run.commit else "")
    if trace.snapshot:
        rows = trace.snapshot
        yield "snapshot", f"{rows.digest}: {rows.rows:,} rows of {rows.source}"
        if rows.first:
            yield "", f"from {rows.first} to {rows.last}"
    if trace.requirements:
        yield "environment", ", ".join(trace.requirements)
    if trace.manifest_sha256:
        yield "manifest", trace.manifest_sha256
    if trace.package:
        bento = trace.package
        yield "bento", f"{bento.tag}, built {_time(bento.built_at)}, code {bento.code_sha256[:12]}"
        yield "", bento.proof


def _judged(trace: Trace) -> Iterator[tuple[str, str]]:
    if trace.reference:
        known = trace.reference
        window = format_duration(known.window)
        rate = f"false alarms {known.false_alarms:.3g} a window"
        yield "reference", f"{known.rows:,} rows, windows of {window}, {rate}"
        yield "", f"sha256 {known.sha256}"
    for verdict in trace.verdicts:
        yield "verdict", _verdict(verdict)
    if trace.label:
        told = trace.label.label
        by = f"told by {told.told_by} {_time(told.told_at)}"
        yield "label", f"{told.value}, known {_time(told.known_at)} ({_wait(trace)}), {by}"
        for past in trace.label.before:
            yield "  before", f"{past.value}, told by {past.told_by} {_time(past.told_at)}"


def _verdict(verdict: TracedVerdict) -> str:
    columns = ", ".join(finding.column for finding in verdict.alarming[:5])
    worse = "; quality worse than promised" if verdict.is_worse else ""
    report = f"; {verdict.report}" if verdict.report else ""
    found = f"{verdict.kind}{f' ({columns})' if columns else ''}"
    return f"{found} in {verdict.window}, {verdict.rows:,} rows{worse}{report}"


def _wait(trace: Trace) -> str:
    waited = trace.label.waited if trace.label else timedelta()
    if waited < timedelta():
        return "before the event"
    days, rest = divmod(int(waited.total_seconds()), 86_400)
    hours, rest = divmod(rest, 3600)
    return f"{days}d {hours}h later" if days else f"{hours}h {rest // 60}m later"


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
