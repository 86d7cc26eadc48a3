"""One call made many times over, with nothing between the readings of the clock but a loop of C.

A system call takes a tenth of a microsecond, a clock read through the vDSO a fifth of that: less
than Python needs to make a call.  To take the interpreter's share away again does not help.  Beside
an interpreter getpid(2) looks a third dearer than it is, for the kernel's entry code has taken the
processor's predictions from it; and the clock looks half as expensive, for it is read while the
interpreter goes on.  So the loop is machine code: a dozen instructions, written out below.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time

from nsedu.measurement.sampler.operations import alternating, libc

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsedu.measurement.sampler.operations import Sample

# void loop(const unsigned long word[8])
# {
#     for (unsigned long left = word[0]; left; left--)
#         word[2](word[1](word[3], word[4], word[5], word[6], word[7]));
# }
_CODE = {
    "x86_64": (
        "53"          #    push rbx
        "55"          #    push rbp
        "4883ec08"    #    sub rsp, 8           the stack is aligned to 16 bytes where it calls
        "4889fb"      #    mov rbx, rdi
        "488b2b"      #    mov rbp, [rbx]
        "488b7b18"    # 1: mov rdi, [rbx+24]
        "488b7320"    #    mov rsi, [rbx+32]
        "488b5328"    #    mov rdx, [rbx+40]
        "488b4b30"    #    mov rcx, [rbx+48]
        "4c8b4338"    #    mov r8, [rbx+56]
        "31c0"        #    xor eax, eax         no vector registers, should it be variadic
        "ff5308"      #    call [rbx+8]
        "4889c7"      #    mov rdi, rax
        "ff5310"      #    call [rbx+16]
        "48ffcd"      #    dec rbp
        "75dc"        #    jnz 1b
        "4883c408"    #    add rsp, 8
        "5d"          #    pop rbp
        "5b"          #    pop rbx
        "c3"          #    ret
    ),
    "aarch64": (
        "fd7bbea9"    #    stp x29, x30, [sp, #-32]!
        "f35301a9"    #    stp x19, x20, [sp, #16]
        "f30300aa"    #    mov x19, x0
        "740240f9"    #    ldr x20, [x19]
        "608641a9"    # 1: ldp x0, x1, [x19, #24]
        "628e42a9"    #    ldp x2, x3, [x19, #40]
        "641e40f9"    #    ldr x4, [x19, #56]
        "680640f9"    #    ldr x8, [x19, #8]
        "00013fd6"    #    blr x8
        "680a40f9"    #    ldr x8, [x19, #16]   the result is where the first argument goes
        "00013fd6"    #    blr x8
        "940600f1"    #    subs x20, x20, #1
        "01ffff54"    #    b.ne 1b
        "f35341a9"    #    ldp x19, x20, [sp, #16]
        "fd7bc2a8"    #    ldp x29, x30, [sp], #32
        "c0035fd6"    #    ret
    ),
}  # fmt: skip
_RET = {"x86_64": 1, "aarch64": 4}
"""The length of the last instruction: alone it is a function that does nothing."""

MACHINE = os.uname().machine


class Loop:
    """The loop, in a page of its own that every fork inherits.

    Raises:
        NotImplementedError: there is no loop for this machine; it says why, and what to do.
    """

    def __init__(self) -> None:
        if MACHINE not in _CODE or ctypes.sizeof(ctypes.c_void_p) != 8:
            known = " and ".join(_CODE)
            raise NotImplementedError(
                f"the loop around the call is machine code, and written for {known} of 64 bits;"
                " use one of these."
            )
        code = bytes.fromhex(_CODE[MACHINE])
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._page.write(code)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        # Only now, and not writable any more: that is also when the kernel makes the instruction
        # cache see what was written, which not every processor does by itself.
        if libc.mprotect(ctypes.c_void_p(start), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC):
            raise NotImplementedError(
                "the loop around the call is machine code, and no memory may be made executable:"
                f" {os.strerror(ctypes.get_errno())}; ask who set up the security module."
            )
        self._run = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(start)
        self._nothing = start + len(code) - _RET[MACHINE]

    def sampler(
        self, call: Any, *arguments: int | bytes, then: Any = None, times: int = 200
    ) -> Callable[[], Sample]:
        """What takes a sample of a call: the time of one, and of one that does nothing, in ns.

        Args:
            call: a function of `libc`.
            arguments: up to five: numbers, addresses, or bytes, whose address is given.
            then: another function of `libc`, which is called with the result.
            times: how often the call is made for one sample.
        """
        after = _address(then) if then else self._nothing
        return alternating(
            self._batch(times, _address(call), after, *arguments),
            self._batch(times, self._nothing, self._nothing, *arguments),
        )

    def _batch(self, times: int, *words: int | bytes) -> Callable[[], float]:
        many = (ctypes.c_ulong * 8)(times, *map(_word, words))
        few = (ctypes.c_ulong * 8)(max(times // 10, 1), *map(_word, words))
        run, clock = self._run, time.perf_counter_ns

        def batch(_: Any = (self, words)) -> float:  # the page and the bytes must not go
            run(few)  # others have run since the last time
            start = clock()
            run(many)
            return (clock() - start) / times

        return batch


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _word(argument: int | bytes) -> int:
    if isinstance(argument, bytes):
        return ctypes.cast(ctypes.c_char_p(argument), ctypes.c_void_p).value or 0
    return argument & ctypes.c_ulong(-1).value
