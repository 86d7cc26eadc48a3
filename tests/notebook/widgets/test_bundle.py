"""The modules of a widget are joined into one, and what would not work joined is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsedu.notebook.widgets.bundle import bundle

WIDGET = 'import { a } from "./a.js";\n\nexport default { render };\n'


def write(directory: Path, **modules: str) -> Path:
    """Write each module to a file of its name; the path of "widget"."""
    for name, text in modules.items():
        (directory / f"{name}.js").write_text(text)
    return directory / "widget.js"


def test_what_is_imported_comes_first_and_only_the_default_is_exported(tmp_path: Path) -> None:
    a = 'import {\n  b,\n  B,\n} from "./b.js";\nexport async function a() {}\n'
    b = "export const b = 1;\nexport class B {}\nconst hidden = 2;\n"
    assert bundle(write(tmp_path, widget=WIDGET, a=a, b=b)) == (
        "const b = 1;\nclass B {}\nconst hidden = 2;\n\n"
        "async function a() {}\n\n"
        "\nexport default { render };\n"
    )


def test_a_module_that_two_import_comes_once(tmp_path: Path) -> None:
    a = 'import { b } from "./b.js";\nimport { c } from "./c.js";\nexport const a = 1;\n'
    b = 'import { c } from "./c.js";\nexport const b = 1;\n'
    text = bundle(write(tmp_path, widget=WIDGET, a=a, b=b, c="export const c = 1;\n"))
    assert [line[6] for line in text.splitlines() if line.startswith("const")] == ["c", "b", "a"]


def test_a_module_of_the_folder_above_is_found(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    write(tmp_path, a="export const a = 1;\n")
    widget = write(tmp_path / "part", widget=WIDGET.replace("./", "../"))
    assert bundle(widget).startswith("const a = 1;\n")


def test_a_name_that_is_not_exported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"imports {'a'}, not exported by a\.js"):
        bundle(write(tmp_path, widget=WIDGET, a="const a = 1;\n"))


def test_a_name_that_two_modules_declare_is_refused(tmp_path: Path) -> None:
    a = 'import { b } from "./b.js";\nexport const a = 1;\nfunction same() {}\n'
    with pytest.raises(ValueError, match=r"Both .*/a\.js and b\.js declare same"):
        bundle(write(tmp_path, widget=WIDGET, a=a, b="export const b = 1, c = 2;\nlet same;\n"))


def test_a_circle_is_refused(tmp_path: Path) -> None:
    a = 'import { b } from "./b.js";\nexport const a = 1;\n'
    b = 'import { a } from "./a.js";\nexport const b = 1;\n'
    with pytest.raises(ValueError, match=r"a\.js imports itself, by way of b\.js"):
        bundle(write(tmp_path, widget=WIDGET, a=a, b=b))


@pytest.mark.parametrize(
    "line",
    [
        'import * as b from "./b.js";',
        'import { b as c } from "./b.js";',
        'import { b } from "somewhere";',
        'import "./b.js";',
        "export { b };",
        'export * from "./b.js";',
        "export default class {}",
        "export const { a, b } = c;",
    ],
)
def test_a_form_that_is_not_joined_is_refused(tmp_path: Path, line: str) -> None:
    a = f"{line}\nexport const a = 1;\n"
    with pytest.raises(ValueError, match="is not joined"):
        bundle(write(tmp_path, widget=WIDGET, a=a, b="export const b = 1;\n"))
