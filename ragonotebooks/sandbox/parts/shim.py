"""The head process of a task: it runs one program and lets nothing of it escape. Run by path, without the package.

    python -I -S shim.py REPORT_FD PROGRAM [ARGUMENT…]

What the program leaves behind becomes the shim's child, however it forked, so a whole task is one process tree. SIGTERM is handed
on to the program. When the program has ended, what is left below it is killed, and the shim exits with the program's code, or
128 + the signal that ended it. The program starts when the shim's standard input ends. REPORT_FD is closed when it runs; before
that, it says why it could not be started.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the program that the command line names and return its exit code."""
    report, arguments = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.set_inheritable(report, False)
    os.read(0, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # a SIGTERM that comes before there is anybody to hand it to has to wait
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    program = os.fork()
    if program == 0:
        _become(arguments, report, libc)
    os.close(report)
    signal.signal(signal.SIGTERM, lambda number, frame: _kill(program, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    status = _wait_for(program)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_the_rest()
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _become(arguments: list[str], report: int, libc: ctypes.CDLL) -> None:
    # the program must not outlive a shim that is killed
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        os.execv(arguments[0], arguments)
    except OSError as error:
        os.write(report, f"exec {arguments[0]}: {(error.strerror or '').lower()}".encode())
        os._exit(127)


def _wait_for(program: int) -> int:
    """Wait for the program's end, burying what it left behind meanwhile."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == program:
            return status


def _end_the_rest() -> None:
    """Kill the children until there are none: the children of each one that dies become children of the shim."""
    while True:
        for pid in _children():
            _kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    own, found = str(os.getpid()), []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would double the shim's start
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:  # noqa: PTH123
                    parent = file.read().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if parent == own:
                found.append(int(name))
    return found


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main())
