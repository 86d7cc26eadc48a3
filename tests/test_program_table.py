"""The table of programs: which package brings each, on which distribution."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nsedu import programs

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("os_release", "manager"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n', "apt"),
        ("ID=ubuntu\nID_LIKE=debian\n", "apt"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "apt"),
        ("ID=fedora\n", "dnf"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf"),
        ("ID=arch\n", "pacman"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper"),
        ("ID=alpine\n", "apk"),
        ("ID=nixos\n", None),
        ("", None),
    ],
)
def test_the_package_manager_is_told_by_os_release(os_release: str, manager: str | None) -> None:
    assert programs.manager(os_release) == manager


@pytest.mark.parametrize("manager", programs.INSTALL)
def test_every_program_has_a_package_on_every_distribution(manager: str) -> None:
    for table in (programs.PROGRAMS, programs.FURTHER):
        assert all(re.fullmatch(r"[a-z0-9.-]+", packages[manager]) for packages in table.values())


def test_the_remedy_is_a_command_that_names_each_package_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "manager", lambda: "dnf")
    assert programs.remedy("ps", "lsns", "unshare") == "dnf install procps-ng util-linux"


def test_where_the_distribution_is_not_known_the_programs_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "manager", lambda: None)
    assert programs.remedy("nft", "ip") == "install nft, ip with this system's package manager"


def test_a_program_that_cannot_be_executed_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "path", lambda: str(tmp_path))
    (tmp_path / "nft").touch(mode=0o644)
    assert programs.lacks("nft")
    (tmp_path / "nft").chmod(0o755)
    assert not programs.lacks("nft")
    assert not programs.lacks("no-program-of-the-course")


def test_what_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "manager", lambda: "apt")
    monkeypatch.setenv("PATH", "/nowhere")
    assert programs.lacking("bwrap") == (
        "the program bwrap is not installed: apt install bubblewrap."
    )
    assert programs.lacking("runc") == "the program runc is not installed: apt install runc."


def test_binder_installs_what_the_chapters_call() -> None:
    listed = (ROOT / "binder" / "apt.txt").read_text().split()
    assert listed == programs.packages(programs.PROGRAMS, "apt")
