"""Our endpoint beside its peers, in one run. One command:

    .venv/bin/python tests/benchmarks/serving/measure.py

All serve the same model with one worker and one thread, and must give the same numbers before they
are timed. CPU per request is the figure to trust; the others depend on what else the machine does.
"""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

ROOT = Path(__file__).parents[3]
EPILOG = """\
Examples:

\b
  measure.py --quick                          a look, in a minute and a half
  measure.py --peers trimtab,fastapi,floor    only these
  measure.py --markdown > figures.md          the tables for docs/benchmarks.md
  measure.py --keep ~/bench                   train and build once for many runs

Exit code 1: a server did not come up, answered wrongly, or failed a request.
"""


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers above zero, by commas."""

    name = "N,N"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read them; anything else is a usage error."""
        parts = str(value).split(",")
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} should be like 1,16,64", param, ctx)
        return tuple(int(part) for part in parts)


@click.command(help=__doc__, epilog=EPILOG)
@click.option(
    "--seconds",
    type=click.FloatRange(0.2, 60),
    default=0.7,
    show_default=True,
    help="Length of one measurement.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    help="Rounds; everybody has a turn in each.",
)
@click.option(
    "--connections",
    type=Numbers(),
    default="1,16,64",
    show_default=True,
    help="Callers at once; mixed rows are asked by 16, or the nearest.",
)
@click.option(
    "--rows", type=Numbers(), default="1,100", show_default=True, help="Rows in a request."
)
@click.option("--peers", help="Names, by commas; `--peers help` lists them. [default: all]")
@click.option(
    "--shape",
    "shapes",
    type=click.Choice(["floats", "mixed"]),
    multiple=True,
    help="Which rows. [default: both]",
)
@click.option("--quick", is_flag=True, help="One short round at 16 connections, floats only.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the trained models here.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all figures here too.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
def main(
    seconds: float,
    repeats: int,
    connections: tuple[int, ...],
    rows: tuple[int, ...],
    peers: str | None,
    shapes: tuple[str, ...],
    quick: bool,
    keep: Path | None,
    file: Path | None,
    markdown: bool,
) -> None:
    signal.signal(signal.SIGTERM, _leave)
    sys.path.insert(0, str(ROOT))
    from tests.benchmarks.serving.command import Wanted, run

    wanted = Wanted(
        seconds=0.5 if quick else seconds,
        repeats=1 if quick else repeats,
        connections=(16,) if quick else connections,
        rows=rows,
        peers=None if peers is None else tuple(peers.split(",")),
        starts=1 if quick else 4,
        shapes=("floats",) if quick else shapes or ("floats", "mixed"),
    )
    with _folder(keep) as folder:
        sys.exit(run(wanted, folder, file, markdown))


def _leave(sig: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that every server is ended too."""
    raise SystemExit(128 + sig)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="trimtab-benchmark-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    main()
