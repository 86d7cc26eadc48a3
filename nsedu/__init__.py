"""nsedu: make Linux namespaces in a notebook, see them, and prove it."""
