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

from nsedu import client, interrupts, messages, output, plain, process, running, syscalls, wire
from nsedu.cells import cell
from nsedu.errors import NamespaceError
from nsedu.roles import roles
from nsedu.sandbox import Sandbox

_START = (
    "import os, sys;"
    " sys.path[:] = [{root!r}, *os.environ.get('PYTHONPATH', '').split(os.pathsep), *sys.path];"
    " from nsedu.cells.repl import main; main({path!r})"
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
        box._require()
        self._who, self._box = repr(box), weakref.ref(box)
        self._cells = 0
        self.told = False  # whether an error has said that it ended
        start = _START.format(root=client.ROOT, path=[*sys.path, client.ROOT])
        argv = [sys.executable, "-I", "-S", "-u", "-X", "utf8", "-c", start]
        env = process.environment(box._agent)
        message = {"op": "run", **running.program(argv), "env": env, "pidfd": True}
        self._root_uid = box.root_uid
        self._requests, theirs = wire.pair()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            # While this socket is open the interpreter lives; on it comes word of its end.
            self._life = client.request(box._control, message, [null, null, null, theirs.fileno()])
        except OSError:
            self._requests.close()
            raise client.gone("start", self._who) from None
        finally:
            os.close(null)
            theirs.close()
        try:
            (pidfd,) = self._started(box.timeout)
        except BaseException:
            _close(self._requests, self._life, 0)
            raise
        try:
            self._pid = client.pid_of_child(pidfd, box.pid)
        except messages.Wrong as wrong:
            _close(self._requests, self._life, 0)
            raise box._distrust(wrong) from None
        finally:
            os.close(pidfd)
        roles[self._pid] = f"Python of {self._who}"
        weakref.finalize(self, _close, self._requests, self._life, self._pid)
        box._inner.add(self)  # which closes it, too

    def _started(self, timeout: float) -> list[int]:
        if not client.wait(self._life.fileno(), timeout):
            raise client.no_answer("start", timeout, self._who)
        received = self._hear("started")
        if received is None:
            raise client.gone("start", self._who)
        word, fields, fds = received
        if word == "failed":
            raise _explained(fields)
        return fds

    def _hear(self, expected: str) -> tuple[str, dict[str, Any], list[int]] | None:
        try:
            return messages.hear(self._life, expected, "failed")
        except messages.Wrong as wrong:
            raise self._distrust(wrong) from None

    def _distrust(self, wrong: messages.Wrong) -> NamespaceError:
        box = self._box()
        return box._distrust(wrong) if box is not None else client.untrue(self._who, wrong)

    @property
    def alive(self) -> bool:
        """Whether it can run a cell."""
        return self._life.fileno() >= 0 and not client.wait(self._life.fileno(), 0)

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
            reply = client.request(self._requests, message, ends)
        except OSError:
            for fd in (answer, *pipes):
                os.close(fd)
            raise self._ended() from None
        finally:
            for fd in ends:
                os.close(fd)
        held = reply.dup()
        try:
            pipes[answer] = plain.collect(said, name)
            process.gather(reply, pipes, timeout, name, self._who)
        except messages.Wrong as wrong:
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
            raise cell.failure(said)

    def _interrupt(self, reply: socket.socket) -> None:
        sent, theirs = os.pipe()  # which the sandbox closes when it has sent the signal
        try:
            with contextlib.suppress(OSError):
                wire.send(self._life, {"kill": int(signal.SIGINT)}, [theirs])
            os.close(theirs)
            # The cell may end by itself meanwhile, and the signal must not meet the next one.
            if not (client.wait(reply.fileno(), _GRACE) and client.wait(sent, _GRACE)):
                self.close()
        finally:
            os.close(sent)

    def _ended(self) -> Exception:
        """The error for an interpreter that has ended, or whose sandbox has."""
        received = None
        if client.wait(self._life.fileno(), _GRACE):
            received = self._hear("exit")
        self.close()
        if received is None:
            return client.gone("start", f"the first process of {self._who}")
        word, fields, _ = received
        if word == "failed":
            return _explained(fields)
        self.told = True
        status = fields["exit"]
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else (
            f"ended with exit status {status}"
        )  # fmt: skip
        return cell.CellFailed(
            f"the Python interpreter of {self._who} {how}; its variables are gone, and the next"
            " cell starts a new one."
        )

    def close(self) -> None:
        """End it; safe to call again."""
        _close(self._requests, self._life, self._pid)


_STREAMS = ("stdout", "stderr")


def _explained(fields: dict[str, Any]) -> NamespaceError:
    """The error for a sandbox's word that the interpreter could not be started."""
    from nsedu import explain

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
    box._require()
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
    # By another way than the notebook's where that is closed (see nsedu.python_inside).
    other_way = os.environ.get("PYTHONPATH", "")
    sys.path[:] = other_way.split(os.pathsep) if "/proc/" in other_way else path
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (request := wire.receive(control)) is not None:
        message, (reply_fd, out, err, answer) = request
        reply = socket.socket(fileno=reply_fd)
        _run_cell(message, names, (out, err), answer)
        with contextlib.suppress(OSError):
            messages.say(reply, "exit", 0)
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
            cell.run(message["source"], names, message["number"])
        finally:  # where the interrupt may come as well, when the cell has raised something already
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except BaseException as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        report = plain.dumps(True, cell.report(error))
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
