"""The service without a server: what it answers in its own process, and where its guard stands."""

import asyncio
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bentoml.exceptions import InternalServerError, InvalidArgument
from starlette.applications import Starlette

import trimtab_services
from trimtab_services.bentoml_service import guard_first
from trimtab_services.bundle import VERSION_FOLDER
from trimtab_services.captured import decode
from trimtab_services.frames import FrameKind, scan
from trimtab_services.guard import Guard
from trimtab_services.swap import load_champion

Row = Callable[..., dict[str, object]]


@pytest.fixture
def module(bento_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bento's own `service.py`, imported from what lies in its `src`."""
    entry = Path(str(trimtab_services.__file__)).with_name("entry.py")
    shutil.copyfile(entry, bento_source / "service.py")
    monkeypatch.setenv("TRIMTAB_SPOOL", str(tmp_path / "spool"))
    spec = importlib.util.spec_from_file_location("service", bento_source / "service.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_caller_in_the_same_process_is_answered_and_captured(
    module: Any, tmp_path: Path, row: Row
) -> None:
    served = module.Served()
    answer = asyncio.run(served.predict(rows=[row(), row()], keys=["a", "b"]))
    served.close()

    assert answer["version"] == "1"
    assert len(answer["predictions"]) == 2
    (segment,) = (tmp_path / "spool").glob("*.seg")
    frames = [f for f in scan(segment.read_bytes()) if f.kind is FrameKind.REQUEST]
    (kept,) = (decode(frame.payload) for frame in frames)
    assert (kept.request_id, kept.keys) == (answer["request_id"], ["a", "b"])


def test_a_caller_in_the_same_process_hears_what_is_wrong(
    module: Any, tmp_path: Path, row: Row, version_files: Callable[..., str]
) -> None:
    served = module.Served()
    with pytest.raises(InvalidArgument, match="seats"):
        asyncio.run(served.predict(rows=[row(seats=float("nan"))]))
    sha256 = version_files(tmp_path / "wide" / VERSION_FOLDER, extra=True)
    module.endpoint.swap(load_champion(tmp_path / "wide", "3", sha256, "cpu"))
    with pytest.raises(InternalServerError, match="could not answer"):
        asyncio.run(served.predict(rows=[row()]))
    served.close()


def test_the_guard_stands_before_the_other_middlewares(module: Any) -> None:
    app: Starlette = module.Served.to_asgi(is_main=True)
    before: list[Any] = [middleware.cls for middleware in app.user_middleware]
    after: list[Any] = [middleware.cls for middleware in guard_first(app).user_middleware]

    assert before[0] is not Guard
    assert after == [Guard, *(each for each in before if each is not Guard)]
