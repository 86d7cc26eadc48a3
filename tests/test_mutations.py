"""What a claim is about is broken, cell by cell, and the claim must notice (mutated.py)."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter

import pytest
from _pytest.mark.structures import ParameterSet

from mutated import MUTATIONS, NOTEBOOKS, Mutation

CHAPTERS = [path.stem for path in sorted(NOTEBOOKS.glob("[01][0-9]_*.ipynb"))]
LEAST = 5  # for each chapter

NAMED = {f"{one.chapter}-{one.name}": one for one in MUTATIONS}


def mutation(name: str) -> ParameterSet:
    marks = [pytest.mark.needs(*NAMED[name].needs)] if not NAMED[name].outdated else []
    return pytest.param(NAMED[name], id=name, marks=marks)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_chapter_has_five_mutations_of_different_cells_at_least(chapter: str) -> None:
    cells = Counter(one.red_cell for one in MUTATIONS if one.chapter == chapter)
    assert len(cells) >= LEAST


def test_each_mutation_still_fits_its_chapter() -> None:
    assert {name: one.outdated for name, one in NAMED.items() if one.outdated} == {}


def look_whether_it_is_noticed(broken: Mutation) -> None:
    outcomes = broken.run()
    control, mutant = outcomes["control"], outcomes["mutant"]
    for outcome in (control, mutant):
        if "lacks" in outcome:
            promised = os.environ.get("NSEDU_MUST_HAVE", "").split(",")
            assert outcome["lacks"] not in promised, outcome["said"]
            pytest.skip(outcome["said"])
    assert control == {}, "it is red already as it stands"
    assert mutant, f"all is green although {broken.old!r} is {broken.new!r}"
    assert mutant["cell"] == broken.red_cell, f"another cell went red first: {mutant}"
    red = [line for line in f"{mutant['error']}\n{mutant['said']}".splitlines() if "✘" in line]
    assert any(broken.red in line for line in red), f"something else went red: {mutant}"


@pytest.mark.mutation
@pytest.mark.parametrize("broken", [*map(mutation, NAMED)])
def test_a_claim_notices(broken: Mutation) -> None:
    assert not broken.outdated, broken.outdated
    look_whether_it_is_noticed(broken)


SOME = "02_uts-no-domain-given"
CHANGES = {
    "nothing": ("(domain)", "( domain )", "all is green"),
    "the syntax": ("(domain)", "(domain", "something else went red"),
    "a name": ("(domain)", "(no_such)", "something else went red"),
    "another claim": ("(domain)", "(str)", "something else went red"),
}


@pytest.mark.mutation
@pytest.mark.needs(*NAMED[SOME].needs)
@pytest.mark.parametrize("changed", CHANGES)
def test_only_the_claim_that_was_named_is_taken_for_one_that_notices(changed: str) -> None:
    old, new, said = CHANGES[changed]
    one = dataclasses.replace(NAMED[SOME], old=old, new=new, red="yours is what it was")
    with pytest.raises(AssertionError, match=said):
        look_whether_it_is_noticed(one)
