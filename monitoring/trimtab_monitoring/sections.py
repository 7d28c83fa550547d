"""The sections of a report: what was concluded, what it rests on, and every column."""

from xml.etree.ElementTree import Element

from trimtab.policy.quality_words import evidence_of, said_of
from trimtab.records.endpoints import EndpointStatus
from trimtab.records.quality import Quality
from trimtab.records.reference import OUTPUT, Reference, Season
from trimtab.records.verdicts import Finding, Verdict, VerdictKind

from .markup import element, named, printable

_TITLES = {
    VerdictKind.NOT_ENOUGH_ROWS: "Not enough rows",
    VerdictKind.STABLE: "Stable",
    VerdictKind.DRIFT: "Drift",
    VerdictKind.BROKEN_DATA: "Broken data",
}
_SEASONS = {
    Season.DAY_OF_WEEK: ", those of the same days of the week",
    Season.HOUR_OF_DAY: ", those of the same hours of the day",
}
_NAMED = 8
"""Columns that are named in a sentence."""


def heading(verdict: Verdict) -> Element:
    """Say which window this is of and what was concluded."""
    return element(
        "header",
        element(
            "h1",
            element("span", _TITLES[verdict.kind], class_=f"kind {verdict.kind}"),
            f" {printable(verdict.model)}, version {printable(verdict.version)}",
        ),
        element("p", f"{verdict.window} UTC", class_="dim"),
        _conclusion(verdict),
    )


def _conclusion(verdict: Verdict) -> Element:
    match verdict.kind:
        case VerdictKind.NOT_ENOUGH_ROWS:
            said = f"{verdict.rows:,} rows tell nothing; {verdict.rows_needed:,} are needed."
            return element("p", said)
        case VerdictKind.BROKEN_DATA:
            rest = ". Broken data never asks for a new model, and is no evidence of drift."
            return element("p", "Broken: ", *_names(verdict.broken), rest)
        case VerdictKind.DRIFT:
            return element("p", "Moved by more than chance: ", *_names(verdict.drifted), ".")
        case VerdictKind.STABLE:
            return element("p", "No column moved by more than windows do when nothing changes.")


def _names(found: list[Finding]) -> list[Element | str]:
    shown: list[Element | str] = []
    for finding in found[:_NAMED]:
        shown += [", ", named(finding.column)]
    more = len(found) - _NAMED
    return [*shown[1:], *([f" and {more} more"] if more > 0 else [])]


def facts(verdict: Verdict, reference: Reference, endpoint: EndpointStatus | None) -> Element:
    """List what the verdict rests on."""
    windows = verdict.evidence.windows
    budget = f"{reference.false_alarms:.2g}"
    compared = f"{reference.rows:,} rows of training{_SEASONS.get(reference.season, '')}"
    pairs = [
        ("Rows", f"{verdict.rows:,} answered ({verdict.rows_needed:,} needed)"),
        ("Refused", f"{verdict.refused:,} requests were answered with an error"),
        *([("Capture", _capture(endpoint))] if endpoint else []),
        ("Compared with", compared),
        (
            "False alarms",
            f"the budget is a chance of {budget} in a window in which nothing has changed",
        ),
        ("Evidence", f"added up over {windows:,} window{'' if windows == 1 else 's'}"),
        ("Quality", _quality(verdict.quality)),
        ("Judged", f"{verdict.judged_at:%Y-%m-%d %H:%M} UTC"),
    ]
    listed = element("dl")
    for name, said in pairs:
        listed.extend([element("dt", name), element("dd", said)])
    return listed


def _capture(endpoint: EndpointStatus) -> str:
    share = endpoint.captured / endpoint.answered if endpoint.answered else 1.0
    return (
        f"the log has {share:.2%} of what the endpoint has answered so far "
        f"({endpoint.captured:,} of {endpoint.answered:,}; {endpoint.dropped:,} lost)"
    )


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return "the version promised none"
    return printable("; ".join([said_of(quality), *evidence_of(quality)[1:]]), most=1000)


def columns(verdict: Verdict) -> Element:
    """Lay out every finding, what is not well first."""
    rows = [_row(finding) for finding in verdict.worst_first]
    head = element("tr")
    for label, kind in _HEAD:
        head.append(element("th", label, class_=kind))
    table = element("table", element("thead", head), element("tbody", *rows))
    return element("section", element("h2", "Every column"), table)


_HEAD = (
    ("Column", "wide"),
    ("Finding", ""),
    ("What it shows", "wide"),
    ("p, limit", "number"),
    ("p over windows, limit", "number"),
    ("Importance", "number"),
    ("Missing", "number"),
    ("Unseen", "number"),
    ("From training", "number"),
    ("From the window before", "number"),
    ("Rows", "number"),
)


def _row(finding: Finding) -> Element:
    cells: list[Element | str] = [
        element("span", named(finding.column), _remark(finding)),
        element("span", finding.kind.replace("_", " "), class_=f"kind {finding.kind}"),
        printable(_shows(finding)),
        _against(finding.p_value, finding.limit),
        _against(finding.lasting, finding.lasting_limit),
        f"{finding.importance:.1%}" if finding.importance else "-",
        f"{finding.missing:.1%}",
        f"{finding.unseen:.1%}",
        _figure(finding.distance),
        _figure(finding.since_previous),
        f"{finding.rows:,}",
    ]
    made = element("tr")
    for (label, kind), cell in zip(_HEAD, cells, strict=True):
        made.append(element("td", element("span", cell), class_=kind, data_label=label))
    return made


def _remark(finding: Finding) -> Element | None:
    if finding.column == OUTPUT:
        return element("span", " the model's answers", class_="dim")
    if finding.sensitivity < 1:
        less = f" at {finding.sensitivity:.0%} of its sensitivity: its alarms were marked false"
        return element("span", less, class_="dim")
    return None


def _shows(finding: Finding) -> str:
    """Say what was found without the p-values, which have columns of their own."""
    return finding.note or finding.effect_in_words


def _against(p_value: float | None, limit: float | None) -> str:
    if p_value is None or limit is None:
        return "-"
    return f"{p_value:.1g}, {limit:.1g}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def reading_help() -> Element:
    """Explain the figures, for who sees them first."""
    listed = element("dl")
    for name, meaning in _MEANINGS:
        listed.extend([element("dt", name), element("dd", meaning)])
    return element("details", element("summary", "What the figures mean"), listed)


_MEANINGS = (
    ("p, limit", "how likely an effect as large is where nothing has changed; drift below the "
     "limit, which is this check's part of the budget of false alarms"),
    ("p over windows", "the same of all evidence since the version is watched; it finds what is "
     "too little in each window"),
    ("Importance", "what the column means to the model; all inputs together are 100%"),
    ("Missing", "rows without a value"),
    ("Unseen", "rows with a category, or a number out of range, that training did not have"),
    ("From training", "Jensen-Shannon distance from the training rows (skew), 0 to 1"),
    ("From the window before", "the same distance from the last window (drift)"),
)  # fmt: skip
