"""Erasure of one subject: from everywhere, whoever is killed, and of nobody else."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from trimtab.adapters.capture_key import open_redaction
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.log_upkeep import ParquetLogUpkeep
from trimtab.adapters.parquet_log import ParquetLog
from trimtab.adapters.sql import open_database
from trimtab.adapters.sql.database import SqlDatabase
from trimtab.cli.group import trimtab as command
from trimtab.records.erasures import Erasure, Subject
from trimtab.records.labels import Label
from trimtab.records.ledger import LedgerEntry
from trimtab.records.sums import Stretch, WindowSums
from trimtab.records.windows import Window
from trimtab.settings import Environment, Settings, load
from trimtab_services.captured import CapturedRequest, encode
from trimtab_services.erasing import Eraser, ask, asked, is_held
from trimtab_services.quarantine import Quarantine
from trimtab_services.segments import SegmentWriter
from trimtab_services.shipper import Shipper
from trimtab_services.testing import MODEL, NOON, contract_of, put_contract
from trimtab_services.upkeep import expire, keep_up

ANNA, BEN = "anna-of-the-north", "ben"


@dataclass
class Place:
    """A project with records, and what erases them."""

    settings: Settings
    database: SqlDatabase
    upkeep: ParquetLogUpkeep
    log: ParquetLog
    eraser: Eraser

    @property
    def spool(self) -> Path:
        return self.settings.home.spool(MODEL)

    def ship(self) -> None:
        with closing(Shipper(self.spool, MODEL, self.log, contract_of)) as shipper:
            shipper.ship()

    def keys(self) -> list[str]:
        found = self.log.read(MODEL, "1")
        return [] if found is None else sorted(found.rows["key"])

    def ask(self, key: str | None = ANNA, prediction_id: str | None = None) -> Path:
        return ask(
            self.settings,
            Erasure(
                model=MODEL, key=key, prediction_id=prediction_id, asked_at=NOON, actor="somebody"
            ),
        )

    def entries(self) -> list[LedgerEntry]:
        with self.database.transaction() as stores:
            return list(stores.ledger.entries(MODEL))

    def names(self, text: str) -> list[str]:
        """List the files that hold a text."""
        files = [path for path in self.settings.home.root.rglob("*") if path.is_file()]
        return [path.name for path in files if text.encode() in path.read_bytes()]


def make(folder: Path, more: str = "") -> Settings:
    (folder / "trimtab.toml").write_text(
        f'[models.{MODEL}]\ntask = "binary"\nsource = "rows.csv"\ntarget = "y"\nkey = "id"\n{more}'
    )
    return load(folder, Environment(home=folder / "home"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    settings = make(tmp_path)
    database = open_database(settings.database_url)
    root = settings.inference_log
    upkeep = ParquetLogUpkeep(root)
    eraser = Eraser(settings=settings, database=database, upkeep=upkeep, clock=SystemClock())
    yield Place(settings, database, upkeep, ParquetLog(root), eraser)
    database.close()


def request(number: int, *keys: str, version: str = "1") -> tuple[bytes, bytes]:
    made = CapturedRequest(
        request_id=f"{number:032x}",
        version=version,
        received=NOON,
        status=200,
        latency_us=1,
        source=None,
        device=None,
        detail=None,
        time=NOON,
        columns=["temp"],
        inputs=[(1.5,) for _ in keys],
        predictions=["y" for _ in keys],
        probabilities=[[0.25, 0.75] for _ in keys],
        keys=keys,
    )
    return number.to_bytes(16, "big"), encode(made)


def label(place: Place, *keys: str) -> None:
    labels = [Label(key=key, value="y", known_at=NOON) for key in keys]
    with place.database.transaction() as stores:
        stores.labels.put(MODEL, labels)


def add_up(database: SqlDatabase) -> None:
    """Keep sums of the hour of the requests, and of the year 2100."""
    with database.transaction() as stores:
        for start in (NOON, datetime(2100, 1, 1, tzinfo=UTC)):
            hour = Window(start, start + timedelta(hours=1))
            sums = WindowSums(rows=1)
            stores.sums.put(Stretch(model=MODEL, version="1", window=hour, sums=sums))


def test_a_subject_leaves_everything_and_the_ledger_says_so_without_its_name(place: Place) -> None:
    with closing(SegmentWriter(place.spool)) as writer:
        writer.append(*request(1, ANNA, BEN))
        writer.append(*request(2, BEN))
        writer.append(*request(3, ANNA, version="nobody knows"))
    with closing(Shipper(place.spool, MODEL, place.log, contract_of, patience_seconds=0)) as late:
        late.ship()
        late.ship()
    label(place, ANNA, BEN)
    add_up(place.database)
    assert place.eraser.erase(place.ask())

    assert place.keys() == [BEN, BEN]
    assert set(place.names(ANNA)) <= {"trimtab.db-wal"}  # which SQLite writes over in time
    with place.database.transaction() as stores:
        assert list(stores.labels.get(MODEL, [ANNA, BEN])) == [BEN]
        assert stores.sums.through(MODEL) is None
    (entry,) = place.entries()
    assert (entry.event, entry.actor) == ("subject erased", "somebody")
    assert entry.reasons[1:] == (
        "1 rows in 1 files of the inference log",
        "1 labels",
        "1 requests in quarantine",
    )
    assert ANNA not in json.dumps([entry.subject, *entry.reasons])
    assert list(asked(place.settings, MODEL)) == []


def test_what_a_living_endpoint_still_holds_is_waited_for(place: Place) -> None:
    with closing(SegmentWriter(place.spool)) as writer:
        writer.append(*request(1, ANNA, BEN))
        place.ship()
        path = place.ask()
        assert not place.eraser.erase(path)
        assert is_held(place.spool, Subject(keys=frozenset({ANNA})))
        deadline = datetime.now(UTC).timestamp() + 20
        while not place.eraser.erase(path):  # the writer goes on to another segment by itself
            place.ship()
            assert datetime.now(UTC).timestamp() < deadline
        assert writer.append(*request(2, BEN))
        place.ship()

        assert place.keys() == [BEN, BEN]
        assert place.names(ANNA) == []


def test_one_prediction_goes_alone(place: Place) -> None:
    with closing(SegmentWriter(place.spool)) as writer:
        writer.append(*request(1, ANNA, ANNA))
    place.ship()
    assert place.eraser.erase(place.ask(None, f"{1:032x}-1"))

    assert place.keys() == [ANNA]


@pytest.mark.parametrize("killed_at", ["upkeep", "quarantine", "labels"])
def test_an_erasure_that_was_killed_is_taken_up_again(
    killed_at: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SegmentWriter(place.spool)) as writer:
        writer.append(*request(1, ANNA, BEN))
    place.ship()
    label(place, ANNA)
    path = place.ask()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        match killed_at:
            case "upkeep":
                patched.setattr(ParquetLogUpkeep, "erase", killed)
            case "quarantine":
                patched.setattr(Quarantine, "erase", killed)
            case _:
                patched.setattr("trimtab_services.erasing.sync_folder", killed)
                patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            place.eraser.erase(path)
    assert path.exists()
    keep_up(place.settings, MODEL, place.database, place.upkeep, SystemClock())

    assert place.keys() == [BEN]
    assert not path.exists()
    assert place.entries()[0].event == "subject erased"


def test_short_keys_erase_no_strangers_from_quarantine(place: Place) -> None:
    with closing(SegmentWriter(place.spool)) as writer:
        writer.append(*request(7, "7", version="unknown"))
        writer.append(*request(8, "77", version="unknown"))
        writer.append(*request(9, "17", version="unknown"))
    for _ in range(2):
        with closing(Shipper(place.spool, MODEL, place.log, contract_of, patience_seconds=0)) as s:
            s.ship()
    quarantine = Quarantine(place.spool / "quarantine")
    assert quarantine.requests == 3

    assert quarantine.erase(Subject(keys=frozenset({"7"}))) == 1
    assert Quarantine(place.spool / "quarantine").requests == 2
    assert quarantine.erase(Subject(prediction_ids=frozenset({f"{8:032x}-0"}))) == 1


def test_what_cannot_even_be_read_goes_when_it_holds_the_name(place: Place) -> None:
    with closing(SegmentWriter(place.spool)) as writer:
        writer.append(bytes(16), b"\x00 no request, and yet of " + ANNA.encode())
        writer.append(bytes(16), b"\x00 no request of anybody's")
    place.ship()
    assert place.eraser.erase(place.ask())

    assert Quarantine(place.spool / "quarantine").requests == 1
    assert set(place.names(ANNA)) <= {"trimtab.db-wal"}


def test_hashed_keys_are_found_by_the_name_they_came_with(tmp_path: Path) -> None:
    settings = make(tmp_path, f"[models.{MODEL}.capture]\nhash_keys = true\n")
    database = open_database(settings.database_url)
    hashed = open_redaction(settings, MODEL).key(ANNA)
    with closing(SegmentWriter(settings.home.spool(MODEL))) as writer:
        writer.append(*request(1, hashed, BEN))
        writer.append(*request(2, ANNA))  # from before the keys were hashed
    database.close()
    put_contract(settings.home.bento(MODEL, "1"))
    done = CliRunner().invoke(
        command, ["erase", MODEL, "--key", ANNA, "--project", str(tmp_path)],
        env={"TRIMTAB_HOME": str(tmp_path / "home")},
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    found = ParquetLog(settings.inference_log).read(MODEL, "1")
    assert found is not None
    assert found.rows["key"].tolist() == [BEN]


def test_the_command_says_what_it_found_and_when_there_is_nothing(tmp_path: Path) -> None:
    settings = make(tmp_path)
    open_database(settings.database_url).close()
    with closing(SegmentWriter(settings.home.spool(MODEL))) as writer:
        writer.append(*request(1, ANNA, BEN))
    put_contract(settings.home.bento(MODEL, "1"))

    def erase(key: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            command, ["erase", MODEL, "--key", key, "--project", str(tmp_path)],
            env={"TRIMTAB_HOME": str(tmp_path / "home")},
        )  # fmt: skip
        return done.exit_code, " ".join(done.output.split())

    code, said = erase(ANNA)
    assert (code, "1 rows in 1 files of the inference log" in said) == (0, True), said
    for key in (ANNA, "nobody"):
        assert erase(key) == (3, f"Nothing of this subject is in the records of {MODEL}.")
    assert erase(BEN)[0] == 0


def test_the_command_wants_one_subject(tmp_path: Path) -> None:
    make(tmp_path)
    for options in ([], ["--key", "a", "--prediction-id", "b"]):
        done = CliRunner().invoke(command, ["erase", MODEL, "--project", str(tmp_path), *options])
        assert "either --key or --prediction-id" in str(done.exception)


def test_old_rows_expire_by_whole_days_and_the_ledger_says_so(tmp_path: Path) -> None:
    settings = make(tmp_path, f'[models.{MODEL}.capture]\nretention = "30d"\n')
    database = open_database(settings.database_url)
    log, upkeep = ParquetLog(settings.inference_log), ParquetLogUpkeep(settings.inference_log)
    spool = settings.home.spool(MODEL)
    with closing(SegmentWriter(spool)) as writer:
        writer.append(*request(1, ANNA, BEN))
    with closing(Shipper(spool, MODEL, log, contract_of)) as shipper:
        shipper.ship()
    add_up(database)
    for _ in range(2):
        expire(settings, MODEL, database, upkeep, SystemClock())

    assert log.read(MODEL, "1") is None
    with database.transaction() as stores:
        (entry,) = stores.ledger.entries(MODEL)
        assert stores.sums.forget(MODEL) == 1
    assert entry.event == "rows expired"
    assert entry.reasons[0] == "2 rows in 1 files of the inference log"
    database.close()
