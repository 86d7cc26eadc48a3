"""What there is, in ten lines: `nsedu.help`."""

from __future__ import annotations

_TEXT = """\
nsedu (import nsedu as ns), in the order of use; help(ns.Sandbox) tells more of each.
ns.doctor()              what works on this machine, and what to do where something does not
box = ns.Sandbox("uts")  new namespaces of the types named; ns.TYPES has all, ns.catalogue() tells
box.run("hostname")      a command inside; also popen, call, sandbox, close; ns.cable(one, two)
%load_ext nsedu          then %%inside box, %%byhand, %%trace on top of a cell; %nstree, %nsdiff
ns.tree()                pictures: matrix, hierarchy, ownership, compare, eyes, snapshot, diff
ns.idmap(box)            also mounts, pids, ipc, topology, cgroup_tree, clocks, why_alive; explore
ns.predict("Why?")       a guess; claim, expect, needs ask the kernel; ns.measure("create"): cost
ns.exercise("uts-1")     a task; ns.check("uts-1"): is it solved? answer, broken; quiz, terminal
ns.course()              the chapters; what is solved: progress, reset_progress; shutdown"""


def help() -> None:
    """Print what there is, in the order of use; Python's own ``help(ns.Sandbox)`` tells more."""
    print(_TEXT)
