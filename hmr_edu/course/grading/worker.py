"""The process that is copied for every graded cell: it has loaded PyTorch, and no learner's code.

`python -m hmr_edu.course.grading.worker CHANNEL`: on this socket arrive a line of JSON with the
limits of a cell, and its two pipes. The worker forks; the copy becomes the cell's process
(child.py). At the next line, `end`, or at the channel's end, the worker kills it
and answers with its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any

READY, END = b"ready", b"end"
MESSAGE = 4096  # bytes


def serve(channel: socket.socket) -> None:
    """Copy this process for every cell, until the channel ends."""
    import torch

    from hmr_edu.course.grading import child, isolation

    isolation.hide_memory()
    torch.set_num_threads(1)
    _warm_up(torch)
    channel.sendall(READY)
    while True:
        line, pipes, _, _ = socket.recv_fds(channel, MESSAGE, 2)
        if not line:
            return
        cell = os.fork()
        if cell == 0:
            child.run(*pipes, json.loads(line))
        for pipe in pipes:
            os.close(pipe)
        ended = channel.recv(MESSAGE) == END
        channel.sendall(json.dumps({"exit": _end(cell)}).encode())
        if not ended:
            return


def _end(cell: int) -> int:
    """Kill the process of a cell, which cannot have started others; return its exit code."""
    os.kill(cell, signal.SIGKILL)
    _, status = os.waitpid(cell, 0)
    return os.waitstatus_to_exitcode(status)


def _warm_up(torch: Any) -> None:
    """Let PyTorch import what it imports when first used, before the copies are made."""
    weights = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weights])
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    repr(weights)
    torch.vmap(torch.sin)(weights)
    torch.func.jacrev(torch.sin)(weights)
    torch.autograd.functional.hessian(lambda x: x.square().sum(), torch.zeros(1))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
