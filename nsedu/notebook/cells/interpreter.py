"""A Python interpreter that lives in a sandbox and runs cells, keeping its names between them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

from nsedu.agent import helper, plain_data, protocol, wire
from nsedu.errors.namespace_error import NamespaceError
from nsedu.kernel import interrupts, syscalls
from nsedu.notebook.cells import python_cell
from nsedu.sandbox import agent_client, output, process, runner
from nsedu.sandbox.process_labels import roles
from nsedu.sandbox.sandbox import Sandbox

_FIND_MODULES = (  # which a bare Python does not by itself, see `nsedu.agent.python_inside`
    "import os, sys; sys.path[:0] = os.environ.get('PYTHONPATH', '').split(os.pathsep); "
)
_GRACE = 2.0  # seconds that an interrupted cell has to end by its KeyboardInterrupt


class Interpreter:
    """A sandbox's own interpreter, as the notebook holds it.

    Args:
        box: the sandbox; the interpreter ends with it.

    Raises:
        NamespaceError: it could not be started, or the sandbox is closed or dead.
    """

    @interrupts.whole
    def __init__(self, box: Sandbox) -> None:
        box.require_alive()
        self._who, self._box = repr(box), weakref.ref(box)
        self._cells = 0
        self.told = False  # whether an error has said that it ended
        argv = helper.python_command(
            "nsedu.notebook.cells.interpreter:main", [*sys.path, agent_client.ROOT],
            first=_FIND_MODULES, unbuffered=True,
        )  # fmt: skip
        env = process.environment(box._agent)
        message = {"op": "run", **runner.program(argv), "env": env, "pidfd": True}
        self._root_uid = box.root_uid
        self._requests, theirs = wire.pair()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            # While this socket is open the interpreter lives; on it comes word of its end.
            self._life = agent_client.request(
                box._control, message, [null, null, null, theirs.fileno()]
            )
        except OSError:
            self._requests.close()
            raise agent_client.peer_died("start", self._who) from None
        finally:
            os.close(null)
            theirs.close()
        try:
            (pidfd,) = self._started(box.timeout)
        except BaseException:
            _close(self._requests, self._life, 0)
            raise
        try:
            self._pid = agent_client.pid_of_child(pidfd, box.pid)
        except protocol.Wrong as wrong:
            _close(self._requests, self._life, 0)
            raise box._distrust(wrong) from None
        finally:
            os.close(pidfd)
        roles[self._pid] = f"Python of {self._who}"
        weakref.finalize(self, _close, self._requests, self._life, self._pid)
        box._inner.add(self)  # which closes it, too

    def _started(self, timeout: float) -> list[int]:
        if not agent_client.wait_readable(self._life.fileno(), timeout):
            raise agent_client.timed_out("start", timeout, self._who)
        received = self._hear("started")
        if received is None:
            raise agent_client.peer_died("start", self._who)
        word, fields, fds = received
        if word == "failed":
            raise _explained(fields)
        return fds

    def _hear(self, expected: str) -> tuple[str, dict[str, Any], list[int]] | None:
        try:
            return protocol.hear(self._life, expected, "failed")
        except protocol.Wrong as wrong:
            raise self._distrust(wrong) from None

    def _distrust(self, wrong: protocol.Wrong) -> NamespaceError:
        box = self._box()
        return box._distrust(wrong) if box is not None else agent_client.untrue(self._who, wrong)

    @property
    def alive(self) -> bool:
        """Whether it can run a cell."""
        return self._life.fileno() >= 0 and not agent_client.wait_readable(self._life.fileno(), 0)

    @interrupts.whole
    def run(self, source: str, timeout: float, name: str = "%%inside -p") -> None:
        """Run a cell; its output appears in the notebook as it comes.

        A cell that runs too long, or is interrupted, ends by a KeyboardInterrupt and leaves the
        interpreter with its names; one that ignores that ends with the interpreter.

        Args:
            source: the cell.
            timeout: seconds until it is interrupted.
            name: what to call it in errors.

        Raises:
            CellFailed: it raised an exception, or the interpreter ended in it.
            CommandTimedOut: it ran too long.
            OutputTooLong: it printed too much.
            NamespaceError: the interpreter could not be started, or the sandbox is dead.
        """
        self._cells += 1
        outputs, said = [os.pipe() for _ in "oe"], bytearray()
        answer, answers = os.pipe()
        ends = [write for _, write in outputs] + [answers]
        if self._root_uid != os.geteuid():
            for fd in ends:
                os.fchown(fd, self._root_uid, -1)
        allowed = output.Allowance(name, output.PRINTED, output.IN_A_CELL)
        pipes: dict[int, Callable[[bytes], object]] = {
            read: output.show(s, allowed) for (read, _), s in zip(outputs, _STREAMS, strict=True)
        }
        message = {"source": source, "number": self._cells}
        try:
            reply = agent_client.request(self._requests, message, ends)
        except OSError:
            for fd in (answer, *pipes):
                os.close(fd)
            raise self._ended() from None
        finally:
            for fd in ends:
                os.close(fd)
        held = reply.dup()
        try:
            pipes[answer] = plain_data.collect(said, name)
            process.wait_and_collect(reply, pipes, timeout, name, self._who)
        except protocol.Wrong as wrong:
            self.close()
            raise self._distrust(wrong) from None
        except (KeyboardInterrupt, process.CommandTimedOut, output.OutputTooLong):
            self._interrupt(held)
            raise
        except NamespaceError:
            raise self._ended() from None
        finally:
            held.close()
        if said:
            raise python_cell.failure(said)

    def _interrupt(self, reply: socket.socket) -> None:
        sent, theirs = os.pipe()  # which the sandbox closes when it has sent the signal
        try:
            with contextlib.suppress(OSError):
                wire.send(self._life, {"kill": int(signal.SIGINT)}, [theirs])
            os.close(theirs)
            # The cell may end by itself meanwhile, and the signal must not meet the next one.
            ends = reply.fileno(), sent
            if not all(agent_client.wait_readable(end, _GRACE) for end in ends):
                self.close()
        finally:
            os.close(sent)

    def _ended(self) -> Exception:
        """The error for an interpreter that has ended, or whose sandbox has."""
        received = None
        if agent_client.wait_readable(self._life.fileno(), _GRACE):
            received = self._hear("exit")
        self.close()
        if received is None:
            return agent_client.peer_died("start", f"the first process of {self._who}")
        word, fields, _ = received
        if word == "failed":
            return _explained(fields)
        self.told = True
        status = fields["exit"]
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else (
            f"ended with exit status {status}"
        )  # fmt: skip
        return python_cell.CellFailed(
            f"the Python interpreter of {self._who} {how}; its variables are gone, and the next"
            " cell starts a new one."
        )

    def close(self) -> None:
        """End it; safe to call again."""
        _close(self._requests, self._life, self._pid)


_STREAMS = ("stdout", "stderr")


def _explained(fields: dict[str, Any]) -> NamespaceError:
    """The error for a sandbox's word that the interpreter could not be started."""
    from nsedu.errors import explain

    return explain.error(explain.heard(fields))


def _close(requests: socket.socket, life: socket.socket, pid: int) -> None:
    requests.close()
    life.close()
    roles.pop(pid, None)


_of_sandbox: weakref.WeakKeyDictionary[Sandbox, Interpreter] = weakref.WeakKeyDictionary()


def of(box: Sandbox) -> Interpreter:
    """The interpreter of a sandbox, started if there is none or if the last one has ended.

    Raises:
        NamespaceError: it could not be started, or the sandbox is closed or dead.
    """
    box.require_alive()
    found = _of_sandbox.get(box)
    if found is None or not found.alive:
        if found is not None and not found.told:
            print(
                f"The Python interpreter of {box!r} had ended; its variables are gone.",
                file=sys.stderr,
            )
        found = _of_sandbox[box] = Interpreter(box)
    return found


def main(path: list[str]) -> NoReturn:
    """In the sandbox: run cells until the notebook has gone."""
    control = socket.socket(fileno=os.dup(3))
    os.close(3)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    # By another way than the notebook's where that is closed (see nsedu.agent.python_inside).
    other_way = os.environ.get("PYTHONPATH", "")
    sys.path[:] = other_way.split(os.pathsep) if "/proc/" in other_way else path
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (request := wire.receive(control)) is not None:
        message, (reply_fd, out, err, answer) = request
        reply = socket.socket(fileno=reply_fd)
        _run_cell(message, names, (out, err), answer)
        with contextlib.suppress(OSError):
            protocol.say(reply, "exit", 0)
        reply.close()
    os._exit(0)


def _run_cell(
    message: dict[str, Any], names: dict[str, Any], outputs: tuple[int, int], answer: int
) -> None:
    for target, fd in enumerate(outputs, start=1):
        os.dup2(fd, target)
        os.close(fd)
    os.set_inheritable(answer, False)
    me = os.getpid()
    report = b""
    try:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            python_cell.run(message["source"], names, message["number"])
        finally:  # where the interrupt may come as well, when the cell has raised something already
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except BaseException as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        report = plain_data.dumps(True, python_cell.report(error))
    if report:
        with contextlib.suppress(OSError):
            os.write(answer, report)
    os.close(answer)
    if os.getpid() != me:  # a child that the cell forked and that ran on to the cell's end
        os._exit(1 if report else 0)
    null = os.open(os.devnull, os.O_WRONLY)
    for target in (1, 2):
        os.dup2(null, target)
    os.close(null)
