"""The explorer as JupyterLab shows it.

Python: ``widget`` answers the browser, with ``rows`` (what has changed since the last look) and
``details`` (all about one process or namespace).

JavaScript, one file after the other as one text, so nothing is imported: ``store.js`` (what is
known), ``items.js`` (which rows are shown of it), ``tree.js`` (a tree that draws the rows in
sight), ``panel.js`` (the details), ``files.js`` (saving and loading), ``view.js`` (all together).
"""
