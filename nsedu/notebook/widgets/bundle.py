"""Join the ES modules of a widget into the one module that anywidget takes.

A module imports names from files beside it, ``import { a, b } from "./file.js";``, and exports
functions, classes and constants where it declares them; the module of the widget itself ends with
``export default``. Joined, they share one scope, so no name may be declared at the top of two.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{(\s*\w+(?:,\s*\w+)*,?\s*)\} from "(\.[\w./]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function|class|const) \w)", re.MULTILINE)
_TOP = re.compile(r"^(export )?(?:(?:async )?function|class|const|let) (\w+)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b(?! default \{ render \};).*", re.MULTILINE)


def bundle(entry: Path) -> str:
    """The text of one ES module: what the module `entry` imports, then `entry` itself.

    Raises:
        ValueError: an import or export has another form, a name is imported that is not exported,
            modules import each other in a circle, or two declare the same name.
    """
    texts: list[str] = []
    exports: dict[Path, set[str]] = {}  # of each module that is in `texts`
    declared: dict[str, Path] = {}

    def add(path: Path, importers: tuple[Path, ...]) -> None:
        if path in exports:
            return
        if path in importers:
            raise ValueError(f"{path} imports itself, by way of {importers[-1].name}.")
        text = path.read_text(encoding="utf-8")
        for names, relative in _IMPORT.findall(text):
            imported = (path.parent / relative).resolve()
            add(imported, (*importers, path))
            if missing := set(re.findall(r"\w+", names)) - exports[imported]:
                raise ValueError(f"{path} imports {missing}, not exported by {imported.name}.")
        exports[path] = set()
        for export, name in _TOP.findall(text):
            if declared.setdefault(name, path) != path:
                raise ValueError(f"Both {path} and {declared[name].name} declare {name}.")
            if export:
                exports[path].add(name)
        text = _EXPORT.sub("", _IMPORT.sub("", text))
        if other := _OTHER.search(text):
            raise ValueError(f"{path} has an import or export that is not joined: {other[0]}")
        texts.append(text)

    add(entry.resolve(), ())
    return "\n".join(texts)
