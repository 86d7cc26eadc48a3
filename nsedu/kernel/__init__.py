"""The kernel's interface: the catalogue of the eight types, and one function for each call.

In come numbers, paths and descriptors, out come plain values or an `OSError` that names the call.
There is no policy here, and nothing of ours is imported but a word of help for a typo.  The
chapters use `syscalls`, `namespace_types`, `mountinfo` and others of these by name.
"""
