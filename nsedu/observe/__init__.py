"""Reading the kernel into plain frozen records.

In come pids or a scope ("mine", "machine"); out come a `Snapshot` or the records of one picture.
What could not be read is counted and said.  Nothing in here draws.
"""
