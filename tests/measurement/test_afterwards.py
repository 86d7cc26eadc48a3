"""What is done in the end is done then, and also when the process has been killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from awaiting import eventually
from nsedu.measurement.sampler.cleanup import cleanup_on_exit
from nsedu.measurement.sampler.operations import fork


def test_it_is_done_when_the_block_has_ended_and_not_before(tmp_path: Path) -> None:
    with cleanup_on_exit((tmp_path / "done").touch):
        assert not (tmp_path / "done").exists()
    assert (tmp_path / "done").exists()


def test_it_is_done_also_when_the_process_is_killed(tmp_path: Path) -> None:
    pid = fork()
    if pid == 0:
        try:
            with cleanup_on_exit((tmp_path / "done").touch):
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert eventually((tmp_path / "done").exists)
