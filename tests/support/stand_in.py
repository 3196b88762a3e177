"""Stands in for `tracker` in a shell's script: has the command forked, and is it to the shell.

Run by `python -I -S` with the path of a `tests.support.scripted.Commands` and the arguments. Hands
over arguments, environment, folder and standard streams; passes signals on; ends as the command
does. Imports next to nothing: a script has many commands.
"""

from __future__ import annotations

import _signal as signal
import _socket as socket
import os
import sys

INT_SIZE = 4
PASSED_ON = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}


def main(path: str, arguments: list[str]) -> None:
    """Be the command until it has ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(path)
    request = repr((arguments, dict(os.environ), os.getcwd())).encode()  # noqa: PTH109
    streams = b"".join(n.to_bytes(INT_SIZE, sys.byteorder) for n in range(3))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)]
    connection.sendmsg([len(request).to_bytes(INT_SIZE, sys.byteorder)], rights)
    connection.sendall(request)

    def number() -> int:
        return int.from_bytes(connection.recv(INT_SIZE), sys.byteorder, signed=True)

    pid = number()

    def pass_on(number: int, _frame: object) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:  # it has ended, and its code is on the way
            return

    for passed_on in PASSED_ON:
        if signal.getsignal(passed_on) != signal.SIG_IGN:
            signal.signal(passed_on, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    code = number()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
