"""The small process that takes samples, and the questions it knows: one module for each.

The module of a question has `TITLE` (a line for its chart), `ROUNDS` (how many, unless said) and
`operations(stack)`: a list of `Operation` and `Unmet`; `FIRST_COUNTS` where a round takes so
long that the first need not be for warming up; and `PARTS`, how many processes share the rounds
(`worker.PARTS` unless said), 1 where to get ready takes longer than a few rounds do.
What must stand while they are sampled is entered on the stack, an `ExitStack`.  `nsedu.measure` is
the other side: it starts the processes, and sums up what they say.
"""

QUESTIONS = {
    "cold": "unshare(2) of uts and net by a process at work, and by one that has slept",
    "create": "unshare(2) of each type, and of all eight at once",
    "clone": "clone3(2) with each flag, from a small process and from one of 500 MB",
    "destroy": "how long a namespace outlives its last process: until reaped, and until gone",
    "enter": "setns(2) into each type, and into all eight one by one and at once",
    "fork": "a child born, ended and waited for, by the depth of PID namespaces",
    "memory": "kernel memory of a namespace of each type, in slabs and charged to its maker",
    "mount": "a mount namespace by its mounts, and a mount by the namespaces that share it",
    "network": "latency and throughput over loopback, veth, a bridge, a router, and NAT",
    "pages": "a page of memory touched, by the control group that it is charged to",
    "scale": "a namespace more, and a look at them all, with 1, 10, 100, 1000 of them standing",
    "syscall": "getpid, clocks, stat, openat: outside, inside, and where it makes a difference",
    "tools": "true in namespaces, start to exit, by unshare, bwrap, firejail, runc, podman, …",
    "vm": "a virtual machine from the start of qemu to its first line from user space",
}
"""What can be asked, and what it measures; each is the module of that name."""
