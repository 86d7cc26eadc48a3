"""`make lab` and `make test` say what is missing, `make packages` installs it."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace

import pytest

import packages
from nsedu import programs


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run, on a Debian that lacks nft and ping."""
    commands: list[list[str]] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(programs, "absent", lambda: ["nft", "ping"])
    monkeypatch.setattr(programs, "manager", lambda: "apt")
    monkeypatch.setattr(packages, "_UPDATE", {})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return commands


def test_what_is_missing_is_one_line_with_the_command(asked: list[list[str]]) -> None:
    assert packages.line() == (
        "Not on this machine: nft, ping. The cells and tests that need them are skipped; to have"
        " all of them: make packages, which runs sudo apt install iputils-ping nftables"
    )
    assert asked == []


def test_where_nothing_is_missing_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "absent", list)
    assert packages.line() == ""


def test_root_installs_them(
    asked: list[list[str]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert packages.install() == 0
    assert asked == [["apt", "install", "iputils-ping", "nftables"]]
    assert capfd.readouterr().out == "make packages: apt install iputils-ping nftables\n"


def test_anybody_else_is_told_the_command_and_nothing_is_run(
    asked: list[list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert packages.install() == 1
    assert asked == []
    assert capfd.readouterr().err == (
        "make packages needs root; run: sudo apt install iputils-ping nftables\n"
    )


def test_on_a_distribution_that_is_not_known_the_programs_are_named(
    asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "manager", lambda: None)
    assert packages.line().endswith("install nft, ping with this system's package manager")
    assert packages.install() == 1
