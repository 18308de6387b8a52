"""Kernels: no port, short socket paths, the same Python."""

import os
import sys
from pathlib import Path

import pytest

from ragonotebooks.run import kernel


def test_a_kernel_listens_on_unix_sockets_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    manager = kernel.IpcKernelManager()
    assert manager.transport == "ipc"
    assert Path(manager.ip).parent.parent == tmp_path


def test_socket_paths_stay_short_enough_whatever_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("deep" * 30)))
    manager = kernel.IpcKernelManager()
    assert len(os.fsencode(f"{manager.ip}-5")) <= 107
    manager.folder.rmdir()


def test_python3_is_the_interpreter_that_runs_the_command() -> None:
    manager = kernel.IpcKernelManager()
    assert manager.kernel_spec is not None
    assert manager.kernel_spec.argv[0] == sys.executable
    manager.folder.rmdir()
