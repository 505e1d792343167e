"""What ``import astraweave`` costs: time and memory of fresh processes."""

from __future__ import annotations

import statistics
import subprocess
import sys

from astraweave.bench.case import Case, Figures, Unavailable, case

__all__ = ["CASES", "MEMORY_SCRIPT", "TIME_SCRIPT", "in_turns"]

_ROUNDS = 9
TIME_SCRIPT = """
import time
start = time.perf_counter()
{body}
print((time.perf_counter() - start) * 1e3)
"""
# Linux's getrusage would count what the parent had when it forked; /proc counts the program alone.
MEMORY_SCRIPT = """
{body}
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
except OSError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / (1024 * 1024))
"""
_IMPORT = "import astraweave"


@case("start.import_ms", unit="ms", peer_name="import numpy")
def import_time() -> Figures:
    """Time of the import alone, in a process that has imported nothing; median of fresh ones."""
    ours, peer = in_turns(TIME_SCRIPT, _IMPORT, "import numpy")
    return Figures(ours=ours, peer=peer)


@case("start.import_rss", unit="MB", peer_name="bare interpreter")
def import_memory() -> Figures:
    """Peak resident memory of a process that has imported astraweave and nothing else."""
    if sys.platform == "win32":
        raise Unavailable("peak memory of a process is not read on Windows")
    ours, bare = in_turns(MEMORY_SCRIPT, _IMPORT, "pass")
    return Figures(ours=ours, peer=bare)


def in_turns(script: str, *bodies: str, rounds: int = _ROUNDS) -> list[float]:
    """Medians of the number that each script prints, over fresh processes in turns.

    Raises
    ------
    Unavailable
        A script failed; the message has its last words.
    """
    printed: list[list[float]] = [[] for _ in bodies]
    for _ in range(rounds):
        for values, body in zip(printed, bodies, strict=True):
            command = [sys.executable, "-c", script.format(body=body)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                raise Unavailable(f"a fresh process failed: {done.stderr.strip()[-500:]}")
            values.append(float(done.stdout))
    return [statistics.median(values) for values in printed]


CASES: tuple[Case, ...] = (import_time, import_memory)
