"""What namespaces cost.

`measure` starts the small process of `sampler`, which puts one of the `questions`; out comes a
`result` with medians and intervals, which `charts` draws and `report` writes down.  Nothing is
imported here, for that process is forked to be timed.
"""
