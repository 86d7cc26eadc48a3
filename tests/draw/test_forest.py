"""Trees of processes: their order, what is folded, and that nobody is lost on the way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nsedu.draw.process_rows import Row, build_trees, collapse, merge_identical, processes_in, rows
from nsedu.observe.records import Process

# Any parents at all: strangers, oneself, and one another in a circle.
crowds = st.lists(
    st.builds(
        Process,
        pid=st.integers(1, 30),
        ppid=st.integers(0, 30),
        name=st.sampled_from("ab"),
        links=st.fixed_dictionaries({"uts": st.integers(1, 2)}),
    ),
    unique_by=lambda process: process.pid,
).map(lambda some: {process.pid: process for process in some})


def is_b(row: Row) -> bool:
    return row.node.process.name == "b"


@given(crowds)
def test_every_process_has_one_row_below_its_parent(crowd: dict[int, Process]):
    found = rows(build_trees(crowd))
    assert sorted(row.node.process.pid for row in found) == sorted(crowd)
    assert all(row.parent.process.pid == row.node.process.ppid for row in found if row.parent)


@given(crowds)
def test_folded_rows_stand_for_every_process(crowd: dict[int, Process]):
    assert processes_in(rows(merge_identical(build_trees(crowd)))) == len(crowd)


@given(crowds)
def test_gathered_rows_stand_for_every_process(crowd: dict[int, Process]):
    assert processes_in(rows(collapse(merge_identical(build_trees(crowd)), is_b))) == len(crowd)


@given(crowds)
def test_gathering_hides_nothing_but_what_is_dull(crowd: dict[int, Process]):
    kept = [row for row in rows(collapse(build_trees(crowd), is_b)) if not row.node.more]
    assert sum(not is_b(row) for row in kept) == sum(p.name == "a" for p in crowd.values())


def test_what_is_alike_is_folded_from_the_leaves_up():
    crowd = {1: Process(1, 0, "init")}
    for pid in range(2, 42, 2):
        crowd |= {pid: Process(pid, 1, "bash"), pid + 1: Process(pid + 1, pid, "sleep")}
    assert [row.label for row in rows(merge_identical(build_trees(crowd)))] == [
        "[init]",
        "└─ [bash] × 20",
        "   └─ [sleep]",
    ]
