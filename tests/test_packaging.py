"""pyproject.toml, the locks, the conda files, binder/ and the Makefile agree with each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKS = {
    "requirements.lock": ("test", "dev"),
    "requirements-classroom.lock": ("test", "dev", "classroom"),
}

every_lock = pytest.mark.parametrize("lock", LOCKS)
every_conda_file = pytest.mark.parametrize("file", ["environment.yml", "binder/environment.yml"])


def pins(lock: str) -> Iterator[tuple[str, Version, list[str]]]:
    """Each pinned (name, version, hashes) of a lock; a name comes once per marker."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==(\S+)(.*)", line):
            name, version, rest = found.groups()
            yield canonicalize_name(name), Version(version), re.findall(r"--hash=(\S+)", rest)


def requirements(lines: list[str]) -> dict[str, SpecifierSet]:
    parsed = (Requirement(line) for line in lines)
    return {canonicalize_name(found.name): found.specifier for found in parsed}


def conda(file: str) -> tuple[dict[str, SpecifierSet], SpecifierSet, list[str]]:
    """The packages of a conda file, its Python, and what pip is told beside packages."""
    listed = yaml.safe_load((ROOT / file).read_text())["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    lines = [entry for entry in listed if isinstance(entry, str) and entry != "pip"]
    lines = [re.sub(r"^([\w-]+)=(?=\d)(.*)", r"\1==\2.*", line) for line in lines]
    packages = requirements(lines + [line for line in pip if not line.startswith("-")])
    packages["matplotlib"] = packages.pop("matplotlib-base")  # conda-forge's name without Qt
    python = packages.pop("python")
    return packages, python, [line for line in pip if line.startswith("-")]


@every_conda_file
def test_a_conda_file_asks_for_the_same_packages_as_pyproject(file: str) -> None:
    packages, _, _ = conda(file)
    assert packages == requirements(PROJECT["dependencies"])


@every_conda_file
def test_the_python_of_a_conda_file_is_one_that_pyproject_allows(file: str) -> None:
    _, python, _ = conda(file)
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [minor for minor in range(20) if python.contains(f"3.{minor}.1")]
    assert all(
        allowed.contains(f"3.{minor}.1") for minor in range(20) if python.contains(f"3.{minor}.1")
    )


def test_the_two_conda_files_differ_in_nothing_but_the_package_itself() -> None:
    ours, ours_python, ours_options = conda("environment.yml")
    binders, binders_python, binders_options = conda("binder/environment.yml")
    assert (ours, ours_python) == (binders, binders_python)
    assert (ours_options, binders_options) == (["-e ."], [])


@every_lock
def test_a_lock_pins_everything_that_pyproject_asks_for(lock: str) -> None:
    pinned: dict[str, list[Version]] = {}
    for name, version, _ in pins(lock):
        pinned.setdefault(name, []).append(version)
    lines = PROJECT["dependencies"] + PYPROJECT["build-system"]["requires"]
    for extra in LOCKS[lock]:
        lines = lines + PROJECT["optional-dependencies"][extra]
    for name, specifier in requirements(lines).items():
        assert name in pinned, f"{name} is not in {lock}: make lock"
        for version in pinned[name]:
            assert specifier.contains(version), f"{name} {version} in {lock}: make lock"


@every_lock
def test_every_pin_of_a_lock_has_hashes(lock: str) -> None:
    for name, version, hashes in pins(lock):
        assert hashes, f"{name} {version}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", found) for found in hashes)


@every_lock
def test_a_lock_does_not_say_where_packages_come_from(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|^\s*--(?!hash)|^\s*-[if]\b", text, re.MULTILINE)


def test_the_classroom_lock_only_adds_to_the_other() -> None:
    plain = {(name, version) for name, version, _ in pins("requirements.lock")}
    assert plain <= {(name, version) for name, version, _ in pins("requirements-classroom.lock")}


def test_the_command_nsedu_is_installed() -> None:
    (command,) = entry_points(group="console_scripts", name="nsedu")
    assert command.value == "nsedu.cli:main"


def test_repo2docker_builds_from_our_binder_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    app = pytest.importorskip("repo2docker.app", reason="repo2docker is not installed")
    monkeypatch.chdir(ROOT)
    settings = app.Repo2Docker()
    packs = (pack(base_image=settings.base_image) for pack in settings.buildpacks)
    chosen = next(pack for pack in packs if pack.detect())
    assert type(chosen).__name__ == "CondaBuildPack"
    assert Path(chosen.environment_yaml_path) == Path("binder/environment.yml")
    assert chosen.get_post_build_scripts() == ["binder/postBuild"]
    assert chosen.get_start_script() == "${REPO_DIR}/binder/start"
    assert "strace" in chosen.get_preassemble_scripts()[0][1]


@pytest.mark.parametrize("script", ["binder/postBuild", "binder/start", ".ci/run"])
def test_a_script_is_executable_and_free_of_syntax_errors(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_binder_start_ends_by_becoming_the_server() -> None:
    assert (ROOT / "binder/start").read_text().splitlines()[-1] == 'exec "$@"'


def run_setup(directory: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run tools/setup.sh where nothing is installed yet, with one Python to choose from."""
    shutil.copy(ROOT / "tools/setup.sh", directory)
    return subprocess.run(
        ["sh", "setup.sh", "stamp"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_says_so_when_python_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = run_setup(tmp_path, str(old))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is not a Python of version 3.11 or newer" in done.stderr


def test_setup_names_the_package_to_install_when_venv_is_missing(tmp_path: Path) -> None:
    bare = tmp_path / "python-bare"
    bare.write_text(
        '#!/bin/sh\ncase "$2" in\n*ensurepip*) exit 1 ;;\n*print*) echo 3.11 ;;\nesac\n'
    )
    bare.chmod(0o755)
    done = run_setup(tmp_path, str(bare))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt install python3.11-venv" in done.stderr


def slow_python(directory: Path, seconds: int) -> str:
    """A Python whose environments have a pip that takes its time, and fails in the end."""
    pip = directory / "pip"
    pip.write_text(
        '#!/bin/sh\n[ "$1" = -m ] || exit 0\n[ "$3" = --version ] && exit 0\n'
        f"echo Collecting a; echo Collecting b; sleep {seconds}; echo no such file; exit 1\n"
    )
    python = directory / "python-slow"
    python.write_text(
        f'#!/bin/sh\ncase "$2" in\n*print*) echo 3.11 ;;\n'
        f"venv) mkdir -p .venv/bin && cp {pip} .venv/bin/python && chmod 755 .venv/bin/python ;;\n"
        "esac\n"
    )
    python.chmod(0o755)
    return str(python)


def test_setup_says_how_far_it_is_and_at_last_what_went_wrong(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("a==1\nb==1\nc==1\n")
    done = run_setup(tmp_path, slow_python(tmp_path, 6))
    assert done.returncode == 1
    assert "installing what requirements.lock names: 5 s, 2 of 3 packages\n" in done.stderr
    assert done.stderr.splitlines()[-2:] == [
        "no such file",
        "make setup: installing what requirements.lock names: failed, as said above.",
    ]


def test_a_python_that_only_root_may_enter_is_said_to_be_so(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("what an ordinary user can start, it can enter.")
    (tmp_path / "requirements.lock").touch()
    said = run_setup(tmp_path, slow_python(tmp_path, 0)).stderr  # pytest's directories are closed
    assert "python is for root alone: no ordinary user can use this .venv. For one" in said
