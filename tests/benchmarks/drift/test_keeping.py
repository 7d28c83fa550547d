"""A run that takes hours may be ended and done in parts."""

from pathlib import Path

from trimtab.records.documents import to_json

from .command import earlier, put
from .power import Found
from .results import Results, Surroundings
from .rows import Use


def found(data: str, alarms: int) -> Found:
    return Found(
        contender="trimtab",
        data=data,
        use=Use.TUNING,
        window_rows=200,
        change="none",
        windows=20,
        alarms=alarms,
        right=20 - alarms,
        broken=0,
    )


def test_a_run_adds_to_the_file_of_an_earlier_one(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    around = Surroundings(machine="", versions={}, seed=1)
    file.write_bytes(to_json(Results(surroundings=around, words={}, found=[found("a", 1)])))

    figures = earlier(file)["found"]
    put(figures, found("b", 2))
    put(figures, found("a", 3))

    assert figures == [found("a", 3), found("b", 2)]


def test_without_a_file_there_is_nothing_yet(tmp_path: Path) -> None:
    assert not any(earlier(tmp_path / "none.json").values())
    assert not any(earlier(None).values())
