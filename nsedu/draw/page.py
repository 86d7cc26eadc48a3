"""A picture in a notebook's page: it follows the theme, and says what it is before it may be drawn.

JupyterLab shows ``image/svg+xml`` as an image without a word for a screen reader, and no variable
of its theme reaches into that.  So the drawing goes into the page itself, as ``text/html`` with a
style sheet, as the tables of xarray and the estimators of scikit-learn do.  Of an output that is
not trusted, JupyterLab, Notebook 7 and nbconvert drop the style sheet: then the drawing stays
hidden, and the sentence before it is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nsedu.draw.style import dark, dark_ink

_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_SHAPE = re.compile(r"<(text|rect|path|line|circle)\b[^>]*>")
_COLOUR = re.compile(r'\b(fill|stroke)="(#[0-9A-Fa-f]{6})"')
_DARK = "[data-jp-theme-light=false] .nsedu-picture"
"""JupyterLab, Notebook 7 and nbconvert say by this attribute of the body which theme they have."""
_SHOWN = (
    ".nsedu-undrawn{display:none}.nsedu-picture{display:block!important}"
    ".nsedu-picture svg{max-width:100%;height:auto}"
)
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"
"""What stands between two dollar signs is a shell's, not MathJax's."""


def html(svg: str) -> str:
    """The drawing as a piece of a page.

    Args:
        svg: a complete SVG document, in the colours of the light theme.
    """
    found = _TITLE.search(svg)
    title = " ".join(found[1].split()) if found else "what this cell found"
    rules = "".join(_rules(svg))
    return (
        f"<style>{_SHOWN}{rules}</style>\n"
        f'<p class="nsedu-undrawn">Here is a picture: <em>{title}</em>. It is drawn when you run'
        " the cell above.</p>\n"
        f'<div class="nsedu-picture {_NO_FORMULAS}" style="display:none">\n{svg}\n</div>'
    )


def _rules(svg: str) -> Iterator[str]:
    """What the colours of the drawing become in a dark theme: rules, those of one colour once."""
    seen: set[tuple[bool, str, str]] = set()
    for shape in _SHAPE.finditer(svg):
        for property, colour in _COLOUR.findall(shape[0]):
            seen.add((shape[1] == "text", property, colour))
    for written, property, colour in sorted(seen):
        other = dark_ink(colour) if written else dark(colour)
        if other != colour:
            what = "text" if written else ":not(text)"
            yield f'{_DARK} {what}[{property}="{colour}"]{{{property}:{other}}}'
