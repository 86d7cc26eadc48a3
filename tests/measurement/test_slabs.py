"""Which slab caches grow with namespaces: the one that is named after the type does."""

from __future__ import annotations

import os

import pytest

from nsedu.measurement.slabs import slabs
from ordinary_user import Learner


@pytest.mark.needs("pid", "uts")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read /proc/slabinfo")
def test_the_cache_of_the_type_grows_by_one_object_for_each() -> None:
    table = slabs("uts", 300)
    assert table.rows[-1][0] == "together"
    objects = {row[0]: row[1] for row in table.rows}
    assert 0.5 < float(objects["uts_namespace"]) < 1.5


def test_an_ordinary_user_is_told_that_only_root_may(learner: Learner) -> None:
    done = learner.run_python("from nsedu.measurement.slabs import slabs; slabs()")
    assert "only root may read /proc/slabinfo; run this notebook as root" in done.stderr


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="count must be a number from 1 to 1000, not 0"):
        slabs("uts", 0)
    with pytest.raises(ValueError, match="'nets' is not a namespace type"):
        slabs("nets")
