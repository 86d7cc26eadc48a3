"""The fixture `learner` is what the tests as an ordinary user stand on."""

from __future__ import annotations

from ordinary_user import Learner


def test_the_learner_is_not_root(learner: Learner) -> None:
    done = learner.run(["id", "-u"])
    assert (done.stdout.strip(), done.stderr) == (str(learner.uid), "")
    assert learner.uid != 0


def test_the_learner_can_import_nsedu(learner: Learner) -> None:
    done = learner.run_python("import nsedu; print(nsedu.__name__)")
    assert (done.stdout, done.stderr) == ("nsedu\n", "")


def test_the_learner_owns_its_home(learner: Learner) -> None:
    done = learner.run(["sh", "-c", "touch made-here && pwd"])
    assert done.stdout.strip() == str(learner.home)
    assert (learner.home / "made-here").stat().st_uid == learner.uid
