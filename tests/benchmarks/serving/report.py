"""The figures as tables, for the terminal or for a page."""

from collections.abc import Iterable, Sequence

from tests.benchmarks.tables import Table

from .ratios import JUDGED_CONNECTIONS, SLOWEST_TO_MIDDLE, Ratio, cpu_ratios
from .results import Figure, Results, Role, Spread


def tables(results: Results) -> Iterable[Table]:
    """Give all that a run found."""
    for shape, condition in dict.fromkeys((f.shape, f.condition) for f in results.figures):
        here = [f for f in results.figures if (f.shape, f.condition) == (shape, condition)]
        yield _figures(f"{shape}: {condition}", here, results)
    yield _ratios(results)
    yield _latencies(results)
    yield _starts(results)
    if results.swaps:
        yield _swaps(results)


def summary(results: Results) -> str:
    """Say under what the figures were taken, and how busy the machine was."""
    around, others = results.surroundings, Spread.of([f.others for f in results.figures])
    load = Spread.of([f.load for f in results.figures])
    named = ", ".join(f"{name} {number}" for name, number in around.versions.items())
    trees = ", ".join(f"{count} trees for {model}" for model, count in around.trees.items())
    lines = [
        f"{around.machine}; {named}; {trees}.",
        f"{around.repeats} rounds of {around.seconds:g} s a measurement. Meanwhile others used "
        f"{others.middle:.0%} of the machine ({others.lowest:.0%} to {others.highest:.0%}); the "
        f"load average was {load.middle:.1f} ({load.lowest:.1f} to {load.highest:.1f}).",
    ]
    lines += [f"Left out: {name}, because {why}" for name, why in results.skipped.items()]
    return "\n".join(lines)


def _figures(title: str, figures: Sequence[Figure], results: Results) -> Table:
    head = ("server", "CPU us/request", "requests/s", "p50 ms", "p99 ms", "peak MB", "others")
    table = Table(title=title, head=head)
    for name in dict.fromkeys(f.contender for f in figures):
        own = [f for f in figures if f.contender == name]
        table.rows.append(
            (
                results.words[name],
                _spread([f.cpu_us for f in own]),
                _spread([f.per_second for f in own]),
                f"{Spread.of([f.p50_ms for f in own]).middle:.2f}",
                f"{Spread.of([f.p99_ms for f in own]).middle:.2f}",
                f"{max(f.peak_mb for f in own):.0f}",
                f"{Spread.of([f.others for f in own]).middle:.0%}",
            )
        )
    return table


def _ratios(results: Results) -> Table:
    head = ("CPU per request, ours / theirs", "asked", "ratio", "as a fraction", "target", "")
    table = Table(title="Ratios (median of the rounds, lowest to highest)", head=head)
    for ratio in ratios_of(results):
        middle = ratio.spread.middle
        target = "" if ratio.target is None else f"<= {ratio.target.words}"
        fraction = f"1/{1 / middle:.1f}" if middle < 1 else f"{middle:.2f}"
        table.rows.append(
            (
                f"{ratio.ours} / {ratio.peer} ({ratio.shape})",
                str(ratio.condition),
                _spread([middle, ratio.spread.lowest, ratio.spread.highest], digits=3),
                fraction,
                target,
                _verdict(ratio.is_met),
            )
        )
    return table


def ratios_of(results: Results) -> list[Ratio]:
    """Compare each form of ours with each peer, where the targets are judged."""
    ours = [name for name, role in results.roles.items() if role is Role.OURS]
    peers = [name for name, role in results.roles.items() if role is Role.PEER]
    return cpu_ratios(results.figures, ours, peers)


def _latencies(results: Results) -> Table:
    words = f"p99 / p50 at {JUDGED_CONNECTIONS} connections"
    table = Table(title=words, head=("server", "shape", "rows", "p99 / p50", "target", ""))
    keys = dict.fromkeys(
        (f.contender, f.shape, f.condition)
        for f in results.figures
        if f.condition.connections == JUDGED_CONNECTIONS
    )
    for name, shape, condition in keys:
        own = [
            f.p99_ms / f.p50_ms
            for f in results.figures
            if (f.contender, f.shape, f.condition) == (name, shape, condition)
        ]
        spread, is_ours = Spread.of(own), results.roles[name] is Role.OURS
        target = f"<= {SLOWEST_TO_MIDDLE:g}" if is_ours else ""
        verdict = _verdict(spread.middle <= SLOWEST_TO_MIDDLE) if is_ours else ""
        ratio = _spread(own, digits=1)
        row = (results.words[name], shape, str(condition.rows), ratio, target, verdict)
        table.rows.append(row)
    return table


def _starts(results: Results) -> Table:
    head = ("server", "CPU seconds", "seconds")
    table = Table(title="Cold start: process start to the first 200", head=head)
    for key in dict.fromkeys((s.shape, s.server) for s in results.starts):
        own = [s for s in results.starts if (s.shape, s.server) == key]
        cpu = _spread([s.cpu_seconds for s in own], digits=2)
        seconds = _spread([s.seconds for s in own], digits=2)
        table.rows.append((f"{key[1]} ({key[0]})", cpu, seconds))
    return table


def _swaps(results: Results) -> Table:
    head = ("swaps", "seconds", "answered", "lost", "slowest answer ms")
    table = Table(title="Swap under load: order given to first answer", head=head)
    seconds = _spread([s.seconds for s in results.swaps], digits=2)
    answered = str(sum(s.requests for s in results.swaps))
    worst = f"{max(s.worst_ms for s in results.swaps):.0f}"
    table.rows.append((str(len(results.swaps)), seconds, answered, "0", worst))
    return table


def _spread(values: Sequence[float], digits: int = 0) -> str:
    spread = Spread.of(list(values))
    if spread.lowest == spread.highest:
        return f"{spread.middle:,.{digits}f}"
    low, high = f"{spread.lowest:,.{digits}f}", f"{spread.highest:,.{digits}f}"
    return f"{spread.middle:,.{digits}f} ({low} to {high})"


def _verdict(is_met: bool | None) -> str:
    return "" if is_met is None else "met" if is_met else "NOT met"
