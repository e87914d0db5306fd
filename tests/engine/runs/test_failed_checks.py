"""A check that fails says why, whatever becomes of the line about it in the log."""

import errno
from types import SimpleNamespace
from typing import Any

import pytest

from bucketvault.engine.domain.usage import Use
from bucketvault.engine.rclone.call import CancelledError
from bucketvault.engine.runs.worker import Worker
from bucketvault.errors import BucketvaultError, RunFailedError
from bucketvault.vocabulary import Reason


@pytest.mark.parametrize(
    "error", [CancelledError("Stopped."), RunFailedError(Reason.CREDENTIALS, "No.")]
)
def test_on_a_full_disk_the_reason_of_a_failed_check_is_kept(error: BucketvaultError) -> None:
    def look(*names: Any, tried: bool) -> None:
        raise error

    def say(*words: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    looker = SimpleNamespace(look=look, take_use=Use)
    worker: Any = SimpleNamespace(_looker=looker, _say_step=say)

    with pytest.raises(BucketvaultError) as caught:
        Worker._look(worker, 0, tried=False)

    assert caught.value is error
