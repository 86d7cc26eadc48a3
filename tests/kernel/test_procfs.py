"""Reading files of /proc."""

from __future__ import annotations

import pytest

from nsedu import Sandbox
from nsedu.kernel.procfs import read

MANY = (
    "mount -t tmpfs x /mnt; for i in $(seq 200); do mkdir /mnt/$i; mount -t tmpfs x /mnt/$i; done"
)


@pytest.mark.needs("userns", "mnt")
def test_a_file_of_many_records_is_read_to_its_end() -> None:
    with Sandbox("mnt") as box:
        box.run(MANY)
        table = read(f"/proc/{box.pid}/mountinfo")
    assert len(table) > 8192
    assert table.count(b" /mnt/") >= 200
