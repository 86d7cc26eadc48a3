"""What every drawing returns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nsedu.draw.page import html
from nsedu.errors import arguments


class Picture:
    """A drawing and the text that says the same, its text twin.

    A notebook shows the drawing; a terminal, a screen reader and a comparison of outputs get the
    text.

    Attributes:
        svg: the drawing, a complete SVG document.
        text: the text twin, without a newline at its end.
    """

    def __init__(self, svg: str, text: str) -> None:
        if not isinstance(svg, str) or not isinstance(text, str):
            raise TypeError(f"svg and text must be strings, not {svg!r:.80} and {text!r:.80}.")
        self.svg, self.text = svg, text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        # A front end takes the first that it can show; JupyterLab and nbconvert take the page.
        return {
            "text/html": html(self.svg),
            "image/svg+xml": self.svg,
            "text/plain": self.text,
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing to a file that ends in .svg, or its text twin to one that ends in .txt.

        Returns:
            The path written.

        Raises:
            ValueError: the name ends otherwise; the message says what to do.
            OSError: the file cannot be written.
        """
        path = Path(arguments.path("path", path))
        content = {".svg": self.svg, ".txt": self.text}.get(path.suffix.lower())
        if content is None:
            raise ValueError(
                f"a picture is saved as .svg or .txt, not as {path.suffix or path.name!r}; for a"
                " .png, save it as .svg and convert that: rsvg-convert -o picture.png picture.svg"
                " (package librsvg2-bin)."
            )
        path.write_text(content + "\n", encoding="utf-8")
        return path
