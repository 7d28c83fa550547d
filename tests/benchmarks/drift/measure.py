"""The monitor beside its peers on real data: false alarms, what is found, what it costs.

    .venv/bin/python tests/benchmarks/drift/measure.py

All judge the same windows. The data is loaded once, from public repositories at pinned commits,
into a cache folder. Tune on `tuning` sets only: what is held out is held out.
"""

import sys
from pathlib import Path

import click

ROOT = Path(__file__).parents[3]
PARTS = ("false-alarms", "power", "slow", "pays", "accuracy", "cost")
EPILOG = """\
Examples:

\b
  measure.py --quick                             a look
  measure.py --use tuning --contenders trimtab   while you build
  measure.py --part false-alarms --sets bikes    one part, one data set
  measure.py --json figures.json > figures.md    all of it
  measure.py --json figures.json --sets hotel    add to what the file has, or put it right

Exit code 1: data was not to be had, or is not what it was.
"""


class Words(click.ParamType[tuple[str, ...]]):
    """Words, by commas."""

    name = "A,B"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split them."""
        return tuple(str(value).split(","))


@click.command(help=__doc__, epilog=EPILOG)
@click.option(
    "--part", "parts", type=click.Choice(PARTS), multiple=True, help="What. [default: all]"
)
@click.option("--contenders", type=Words(), help="Names; a wrong one lists them. [default: all]")
@click.option("--sets", type=Words(), help="Data sets, by function name. [default: all]")
@click.option(
    "--use",
    type=click.Choice(["tuning", "held-out", "all"]),
    default="all",
    show_default=True,
    help="Which half of the data sets.",
)
@click.option(
    "--rows",
    "rows",
    type=int,
    multiple=True,
    default=(200, 1000),
    show_default=True,
    help="Rows of a window.",
)
@click.option(
    "--windows",
    type=click.IntRange(1),
    default=160,
    show_default=True,
    help="Undisturbed windows of each data set.",
)
@click.option(
    "--draws",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Windows of each change, for each of --references.",
)
@click.option(
    "--references",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Models trained for each data set, where rows are independent.",
)
@click.option(
    "--streams",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Slow drifts of each data set.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--quick", is_flag=True, help="Few windows.")
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path),
    help="Add all figures to this file, each as it comes, and show all it has.",
)
def main(
    parts: tuple[str, ...],
    contenders: tuple[str, ...] | None,
    sets: tuple[str, ...] | None,
    use: str,
    rows: tuple[int, ...],
    windows: int,
    draws: int,
    references: int,
    streams: int,
    seed: int,
    quick: bool,
    file: Path | None,
) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.benchmarks.drift.command import Wanted, run
    from tests.benchmarks.drift.rows import Use

    uses = {"tuning": [Use.TUNING], "held-out": [Use.HELD_OUT], "all": list(Use)}
    wanted = Wanted(
        parts=parts or PARTS,
        contenders=contenders,
        sets=sets,
        uses=uses[use],
        rows=rows,
        windows=20 if quick else windows,
        draws=5 if quick else draws,
        references=1 if quick else references,
        streams=2 if quick else streams,
        cost_rows=(10_000,) if quick else (10_000, 100_000, 1_000_000),
        cost_columns=(10,) if quick else (10, 50),
        seed=seed,
    )
    sys.exit(run(wanted, file))


if __name__ == "__main__":
    main()
