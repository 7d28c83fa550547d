"""Warm starts: what is forked is as good as what is started, and nothing hangs on it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trimtab.records.keys import Admission
from trimtab_services.bento import run_proof
from trimtab_services.bundle import installed_code
from trimtab_services.children import Host
from trimtab_services.keys import write_admission
from trimtab_services.listening import listen
from trimtab_services.nursery import Channel, Forked, Nursery
from trimtab_services.pointer import Pointer

MODEL = "late-arrival"


def pointer_to(shelf: Any, version: str) -> Pointer:
    return Pointer(
        epoch=1,
        version=version,
        manifest_sha256=shelf.hashes[version],
        bento=shelf.bento(version),
    )


def test_a_forked_endpoint_answers_and_captures(
    nursery: Nursery, shelf: Any, project: Any, caller: Any, wait: Any, row: Any, tmp_path: Path
) -> None:
    settings = project(tmp_path)
    write_admission(settings.home.keys(MODEL), Admission(closed=False))
    port = settings.model(MODEL).serve.port
    with listen(settings, MODEL) as listening:
        host = Host.start(settings, MODEL, pointer_to(shelf, "1"), listening, nursery)
        try:
            host.accept()
            wait(lambda: any(report.accepts for report in host.reports()), "the endpoint")
            status, answer = caller(port).predict(json.dumps({"rows": [row()]}).encode())
        finally:
            host.end()
            host.wait(10)

    assert (status, answer["version"]) == (200, "1")
    assert list(settings.home.spool(MODEL).glob("*.seg"))
    assert not host.is_running


def test_a_process_whose_supervisor_dies_while_it_loads_ends_too(
    nursery: Nursery, shelf: Any, project: Any, wait: Any, tmp_path: Path
) -> None:
    settings = project(tmp_path)
    with listen(settings, MODEL) as listening:
        host = Host.start(settings, MODEL, pointer_to(shelf, "1"), listening, nursery)
        host._line.close()  # what the kernel does for one that was killed
        wait(lambda: not Path(f"/proc/{host.pid}").exists(), "its end", 5)

    assert host.is_gone()


def test_other_code_than_its_own_is_never_forked(nursery: Nursery) -> None:
    assert nursery.fits(installed_code())
    assert not nursery.fits("0" * 64)


def test_a_forked_proof_finds_what_a_cold_one_finds(
    nursery: Nursery, shelf: Any, tmp_path: Path
) -> None:
    bento = shelf.bento("2")
    with nursery.another_channel() as channel:
        proof = run_proof(bento, tmp_path, Channel(channel))

    assert proof.proven
    assert proof.golden_rows == 100


def test_a_forked_process_that_is_killed_is_known_to_have_ended() -> None:
    sleeper = subprocess.Popen(["sleep", "600"])
    forked = Forked(sleeper.pid)
    with pytest.raises(subprocess.TimeoutExpired):
        forked.wait(0)
    running = forked.poll()
    forked.kill()

    assert running is None
    assert forked.wait(10) == 0
    assert forked.poll() == 0
    assert not Path(f"/proc/{sleeper.pid}").exists()  # nor is it left as a zombie
    sleeper.wait()
    forked.send_signal(signal.SIGTERM)  # to nobody, and to nobody else


def test_a_nursery_that_was_killed_is_started_again(wait: Callable[..., None]) -> None:
    nursery = Nursery()
    try:
        first = nursery.pid
        os.kill(first, signal.SIGKILL)

        def is_another() -> bool:
            nursery.step()
            return nursery.pid != first

        wait(is_another, "another one")
        assert not nursery.fits("")
    finally:
        nursery.end()


def test_a_channel_without_an_answer_is_closed_and_the_nursery_started_again(
    wait: Callable[..., None], tmp_path: Path
) -> None:
    nursery = Nursery()
    try:
        first = nursery.pid
        wait(lambda: nursery.fits(installed_code()), "the nursery to be warm")
        os.kill(first, signal.SIGSTOP)
        nursery.channel.end.settimeout(0.05)
        with pytest.raises(TimeoutError):
            nursery.channel.fork("host", tmp_path, {}, tmp_path, [])

        assert not nursery.fits(installed_code())
        nursery.step()
        assert nursery.pid != first
    finally:
        nursery.end()
