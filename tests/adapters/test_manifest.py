import hashlib
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab.adapters.manifest import FILE, verify_manifest, write_manifest
from trimtab.errors import ManifestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "version"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "model.skops").write_bytes(b"model")
    (folder / "deep" / "er" / "file with spaces").write_bytes(b"")
    return folder


def test_what_was_written_verifies(folder: Path) -> None:
    sha256 = write_manifest(folder)

    verify_manifest(folder, sha256)
    verify_manifest(folder, None)
    assert sha256 == hashlib.sha256((folder / FILE).read_bytes()).hexdigest()


def test_writing_twice_gives_the_same_hash(folder: Path) -> None:
    assert write_manifest(folder) == write_manifest(folder)


def test_a_copy_elsewhere_verifies(folder: Path, tmp_path: Path) -> None:
    sha256 = write_manifest(folder)
    copy = shutil.copytree(folder, tmp_path / "copy")

    verify_manifest(copy, sha256)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=20).filter(lambda content: content != b"model"))
def test_a_changed_file_is_named(folder: Path, content: bytes) -> None:
    (folder / "model.skops").write_bytes(b"model")
    sha256 = write_manifest(folder)
    (folder / "model.skops").write_bytes(content)

    with pytest.raises(ManifestError, match=r"model\.skops was changed"):
        verify_manifest(folder, sha256)


def test_a_missing_file_is_named(folder: Path) -> None:
    sha256 = write_manifest(folder)
    (folder / "deep" / "er" / "file with spaces").unlink()

    with pytest.raises(ManifestError, match="file with spaces is missing"):
        verify_manifest(folder, sha256)


@pytest.mark.parametrize("name", ["evil.py", "deep/extra", "deep/manifest.json"])
def test_an_extra_file_is_named(folder: Path, name: str) -> None:
    sha256 = write_manifest(folder)
    (folder / name).write_bytes(b"")

    with pytest.raises(ManifestError, match=f"{name} is not in the manifest"):
        verify_manifest(folder, sha256)


def test_a_link_is_refused_even_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    sha256 = write_manifest(folder)
    (folder / "model.skops").rename(tmp_path / "elsewhere")
    (folder / "model.skops").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ManifestError, match="symbolic link"):
        verify_manifest(folder, sha256)


def test_a_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    sha256 = write_manifest(folder)
    (folder / "deep").rename(tmp_path / "deep")
    (folder / "deep").symlink_to(tmp_path / "deep")

    with pytest.raises(ManifestError, match="symbolic link"):
        verify_manifest(folder, sha256)


def test_a_manifest_that_was_written_anew_has_another_hash(folder: Path) -> None:
    sha256 = write_manifest(folder)
    (folder / "model.skops").write_bytes(b"other")
    write_manifest(folder)

    verify_manifest(folder, None)
    with pytest.raises(ManifestError, match="not the manifest that was judged"):
        verify_manifest(folder, sha256)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"files": [{"path": 1}]}'])
def test_a_manifest_that_is_none_is_an_error_of_ours(folder: Path, content: bytes) -> None:
    (folder / FILE).write_bytes(content)

    with pytest.raises(ManifestError):
        verify_manifest(folder, None)


def test_no_manifest_is_an_error(folder: Path) -> None:
    with pytest.raises(ManifestError, match="is missing"):
        verify_manifest(folder, None)
