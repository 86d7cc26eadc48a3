"""The explorer as JupyterLab shows it.

Python: ``widget`` answers the browser, with ``rows`` (what has changed since the last look) and
``details`` (all about one process or namespace).

JavaScript: ``view.js`` is the widget. It imports ``store.js`` (what is known), ``items.js`` (which
rows are shown of it), ``tree.js`` (a tree that draws the visible rows), ``explorer_trees.js`` (the
two trees), ``toolbar.js``, ``panel.js`` (the details) and ``files.js`` (saving and loading).
"""
