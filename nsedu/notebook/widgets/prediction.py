"""The boxes, buttons or line in which a learner answers before the kernel does."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from nsedu.notebook.widgets.base import receive_while_cell_runs, script, style


class PredictionWidget(anywidget.AnyWidget):
    """What JupyterLab shows of an `nsedu.predict.Prediction`.

    Attributes:
        question: what is asked.
        kind: "many" (boxes), "one" (buttons of which one holds) or "typed" (a line).
        choices: what can be ticked, in order.
        guess: what is ticked or typed.
        said: the verdict as a sentence; once it stands, nothing can be changed any more.
        right: whether the guess was right.
        marks: choice → "hit" (ticked, and so it is), "missed" or "wrong".
    """

    _esm = script("prediction")
    _css = style("prediction")
    question = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode().tag(sync=True)
    choices: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    guess: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    right = traitlets.Bool().tag(sync=True)
    marks: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        receive_while_cell_runs(self)
