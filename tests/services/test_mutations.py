"""Damaged and exchanged model files: none is loaded, and each refusal names what is wrong."""

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from trimtab.adapters.manifest import FILE, write_manifest
from trimtab.errors import ManifestError
from trimtab.records.keys import Admission
from trimtab.settings import Settings
from trimtab_services.bundle import PLAN_FILE, VERSION_FOLDER, source_of
from trimtab_services.children import Host
from trimtab_services.keys import write_admission
from trimtab_services.nursery import Nursery
from trimtab_services.pointer import Pointer
from trimtab_services.swap import load_champion

MODEL = "late-arrival"
SEED = 20130401
Mutation = Callable[[Path, Path, random.Random], set[str]]
"""Changes a version's folder, given another version; names what the refusal may name."""


def some_file(folder: Path, chance: random.Random) -> Path:
    return chance.choice([path for path in sorted(folder.iterdir()) if path.stat().st_size])


def flip(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = some_file(folder, chance)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 1, 1, 10])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return {path.name}


def truncate(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = some_file(folder, chance)
    os.truncate(path, chance.randrange(path.stat().st_size))
    return {path.name}


def append(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = chance.choice(sorted(folder.iterdir()))
    with path.open("ab") as file:
        file.write(chance.randbytes(chance.choice([1, 100, 5000])))
    return {path.name}


def overwrite(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = some_file(folder, chance)
    path.write_bytes(chance.randbytes(path.stat().st_size))
    return {path.name}


def exchange(folder: Path, other: Path, chance: random.Random) -> set[str]:
    first, second = chance.sample(sorted(folder.iterdir()), 2)
    aside = folder / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    return {first.name, second.name}


def borrow(folder: Path, other: Path, chance: random.Random) -> set[str]:
    name = chance.choice(["model.skops", "golden.parquet", FILE])
    shutil.copyfile(other / name, folder / name)
    return {name}


def borrow_all(folder: Path, other: Path, chance: random.Random) -> set[str]:
    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    return {FILE}


def forge(folder: Path, other: Path, chance: random.Random) -> set[str]:
    flip(folder, other, chance)
    write_manifest(folder)
    return {FILE}


def garble_manifest(folder: Path, other: Path, chance: random.Random) -> set[str]:
    nested = b"[" * 100_000
    (folder / FILE).write_bytes(chance.choice([b"", b"{}", b"\xff", nested, b'{"files": []}']))
    return {FILE}


def add(folder: Path, other: Path, chance: random.Random) -> set[str]:
    names = ["evil.py", "model.pkl", "__init__.py", "model.skops.new", "a\nb", ".hidden", "x/y/z"]
    path = folder / chance.choice([*names, "d/" * chance.choice([20, 1500]) + "deep"])
    here = os.getcwd()
    try:
        os.chdir(folder)  # a path may be longer than a system call takes
        for part in path.relative_to(folder).parts[:-1]:
            os.mkdir(part)
            os.chdir(part)
        Path(path.name).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    finally:
        os.chdir(here)
    return {path.name.replace("\n", r"\n"), "/d/d/d"}


def add_unnameable(folder: Path, other: Path, chance: random.Random) -> set[str]:
    name = b"evil-\xff\xfe.py"
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"")
    return {r"evil-\udcff\udcfe.py"}


def link(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = chance.choice(sorted(folder.iterdir()))
    target = chance.choice([other / path.name, folder.parent / "aside", Path("/dev/zero"), path])
    if target.name == "aside":
        shutil.copyfile(path, target)
    path.unlink()
    path.symlink_to(target)
    return {path.name}


def link_folder(folder: Path, other: Path, chance: random.Random) -> set[str]:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.with_name("moved"))
    return {folder.name}


def pipe(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = chance.choice([*sorted(folder.iterdir()), folder / "new"])
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return {path.name}


def as_folder(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = chance.choice(sorted(folder.iterdir()))
    path.unlink()
    path.mkdir()
    return {path.name}


def remove(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = chance.choice(sorted(folder.iterdir()))
    path.unlink()
    return {path.name}


def rename(folder: Path, other: Path, chance: random.Random) -> set[str]:
    path = chance.choice(sorted(folder.iterdir()))
    new = path.with_name(chance.choice([path.name.upper(), path.name + " ", "other"]))
    path.rename(new)
    return {path.name, new.name}


def empty(folder: Path, other: Path, chance: random.Random) -> set[str]:
    shutil.rmtree(folder)
    if chance.random() < 0.5:
        folder.mkdir()
    return {FILE}


MUTATIONS: tuple[Mutation, ...] = (
    *[flip] * 6, *[truncate] * 2, append, overwrite, exchange, borrow, borrow_all, forge,
    garble_manifest, add, add_unnameable, link, link_folder, pipe, as_folder, remove, rename, empty,
)  # fmt: skip


@dataclass(frozen=True)
class Versions:
    """A good version and another one, both with hashes that were judged."""

    folder: Path
    sha256: str
    other: Path

    def copy(self, source: Path) -> None:
        """Lay out what a bento holds of the good version."""
        shutil.copytree(self.folder, source / VERSION_FOLDER)
        shutil.copyfile(self.folder.parent / PLAN_FILE, source / PLAN_FILE)

    def mutated(self, work: Path, number: int) -> tuple[Path, str, set[str]]:
        """Give a source with a changed copy, what was done to it, and the names it may blame."""
        chance = random.Random(f"{SEED}-{number}")
        source = work / "src"
        remove_all(work)
        self.copy(source)
        before = fingerprint(source / VERSION_FOLDER)
        while True:
            mutation = chance.choice(MUTATIONS)
            names = mutation(source / VERSION_FOLDER, self.other, chance)
            if fingerprint(source / VERSION_FOLDER) != before:  # equal files may change places
                return source, mutation.__name__, names


def remove_all(folder: Path) -> None:
    """Remove a folder that may be too deep for Python."""
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def fingerprint(folder: Path) -> object:
    if folder.is_symlink() or not folder.is_dir():
        return None
    plain = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    others = sum(1 for _ in folder.iterdir()) - len(plain)
    return others, {path.name: path.read_bytes() for path in plain}


@pytest.fixture(scope="module")
def versions(
    tmp_path_factory: pytest.TempPathFactory, version_files: Callable[..., str]
) -> Versions:
    folder = tmp_path_factory.mktemp("versions")
    sha256 = version_files(folder / "1")
    version_files(folder / "2", seed=50)
    return Versions(folder / "1", sha256, folder / "2")


def hold(versions: Versions, work: Path, count: int) -> None:
    """Mutate so often, and let nothing be loaded."""
    done: set[str] = set()
    for number in range(count):
        source, what, names = versions.mutated(work, number)
        said = f"seed {SEED}, mutation {number} ({what})"
        with pytest.raises(ManifestError) as refused:
            load_champion(source, "1", versions.sha256, "cpu")
        assert any(name in str(refused.value) for name in names), f"{said}: {refused.value}"
        str(refused.value).encode()  # a log and a database must be able to hold it
        done.add(what)
    remove_all(work)
    assert done == {mutation.__name__ for mutation in MUTATIONS}


def test_what_was_not_changed_is_loaded(versions: Versions, tmp_path: Path) -> None:
    versions.copy(tmp_path / "src")

    assert load_champion(tmp_path / "src", "1", versions.sha256, "cpu").golden.matches


def test_of_three_hundred_mutations_none_is_loaded(versions: Versions, tmp_path: Path) -> None:
    hold(versions, tmp_path / "work", 300)


@pytest.mark.long
def test_of_ten_thousand_mutations_none_is_loaded(versions: Versions, tmp_path: Path) -> None:
    hold(versions, tmp_path / "work", 10_000)


def test_an_endpoint_answers_on_whatever_becomes_of_the_next_version(
    shelf: Any, project: Any, caller: Any, row: Any, nursery: Nursery, tmp_path: Path
) -> None:
    settings: Settings = project(tmp_path / "project")
    write_admission(settings.home.keys(MODEL), Admission(closed=False))
    good, wanted = shelf.bento("1"), shelf.bento("2")
    first = Pointer(epoch=1, version="1", manifest_sha256=shelf.hashes["1"], bento=good)
    body = orjson.dumps({"rows": [row()]})
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = Host.start(settings, MODEL, first, listening, nursery)
        endpoint = caller(listening.getsockname()[1])

        def point(epoch: int, bento: Path) -> str | None:
            sha256 = shelf.hashes["2"]
            pointer = Pointer(epoch=epoch, version="2", manifest_sha256=sha256, bento=bento)
            host.serve(pointer)
            return heard(host)

        try:
            assert heard(host) is None
            host.accept()
            assert heard(host) is None
            for number, mutation in enumerate(dict.fromkeys(MUTATIONS)):
                bento = tmp_path / f"{number}"
                shutil.copytree(wanted, bento, ignore=shutil.ignore_patterns("*.py"))
                folder = source_of(bento) / VERSION_FOLDER
                names = mutation(folder, source_of(good) / VERSION_FOLDER, random.Random(SEED))
                refused = point(number + 2, bento)
                assert any(name in str(refused) for name in names), mutation.__name__
                assert endpoint.predict(body)[1]["version"] == "1"
            assert point(100, wanted) is None
            assert endpoint.predict(body)[1]["version"] == "2"
        finally:
            host.end()
            host.wait(15)
            remove_all(tmp_path)


def heard(host: Host) -> str | None:
    """Wait for the next thing that the process says: why it refuses a version, if it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for report in host.reports():
            return report.refused
        assert host.is_running
        time.sleep(0.01)
    raise TimeoutError("the process said nothing")
