"""Look into mount namespaces that no process is in: a small helper process goes there and reports.

Only a process in a mount namespace can open what is mounted there, and a process with threads may
not enter one (setns(2)).  Hence this helper: one process per snapshot that needs it, which forks
for every namespace it is asked to look into.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator

from nsedu.agent import helper, protocol, wire
from nsedu.kernel import interrupts, syscalls
from nsedu.kernel.mountinfo import namespace_mounts
from nsedu.kernel.procfs import read

MOST_MOUNTS = 100_000  # in a namespace: what the sysctl fs.mount-max allows at first
PATIENCE = 10  # seconds; a dead network file system on the way must not stop the look for ever


class MountNamespaceReader:
    """The reader's side: starts the helper when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def look(self, fd: int) -> Iterator[tuple[str, str, int]]:
        """What namespace files are mounted in a mount namespace.

        Args:
            fd: the open mount namespace.

        Yields:
            The mounted namespace ("net:[4026532181]"), its mount point, and a descriptor of it,
            which is closed when the next is asked for (-1 where another mount covers it).

        Raises:
            OSError: the helper could not go there.
        """
        sock = self._started()
        wire.send(sock, {"look": True}, [fd])
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        for count in itertools.count():
            with interrupts.awaiting():
                heard = poll.poll(PATIENCE * 1000)
            if count > MOST_MOUNTS or not heard:
                self.close()
                raise TimeoutError(f"no answer within {PATIENCE} s")
            try:
                answer = protocol.hear(sock, "mount", "covered", "done")
            except protocol.Wrong as wrong:  # a program there has taken the helper over
                self.close()
                raise OSError(errno.EBADMSG, f"the helper sent {wrong}") from None
            if answer is None:
                raise ProcessLookupError("the helper process has ended")
            word, fields, fds = answer
            if word == "done":
                if fields["errno"]:
                    raise OSError(fields["errno"], os.strerror(fields["errno"]))
                return
            try:
                yield fields["root"], fields["target"], fds[0] if fds else -1
            finally:
                for mounted in fds:
                    os.close(mounted)

    def _started(self) -> socket.socket:
        if self._socket is None:
            started = helper.start_python("nsedu.observe.mount_namespace_reader:main")
            self._process, self._socket = started
        return self._socket

    def close(self) -> None:
        """End the helper, if it was started."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            helper.end(self._process)
            self._socket = self._process = None


def main(control_fd: int) -> None:
    """Run the helper: answer requests until the reader closes its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the reader may ignore it
    sock = socket.socket(fileno=control_fd)
    while (request := wire.receive(sock)) is not None:
        (fd,) = request[1]
        child = os.fork()
        if child == 0:
            os._exit(_report(sock, fd))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        protocol.say(sock, "done", abs(status))
        os.close(fd)


def _report(sock: socket.socket, fd: int) -> int:
    """Enter and report; returns 0 or an errno."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)  # or a program there could trace this process
    # Opened before, because where we go there may be no /proc.
    here = os.open("/proc/thread-self", os.O_PATH | os.O_CLOEXEC)
    try:
        helper.enter(fd, "mnt")
        for mount in namespace_mounts(read(b"mountinfo", here)):
            try:
                found = os.open(mount.target, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                protocol.say(sock, "covered", mount.root, mount.target)
            else:
                protocol.say(sock, "mount", mount.root, mount.target, fds=[found])
                os.close(found)
    except OSError as error:
        return error.errno or 1
    return 0
