"""What slows a machine down, as far as its operating system says so.

Linux tells in files below ``/sys`` and ``/proc``; macOS and Windows keep most of it to themselves.
Nothing here raises: what cannot be read is not there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from astraweave.cli._finding import Finding

__all__ = ["Machine", "spinning"]

_MIB = 1 << 20
_THRIFTY = {"power", "balance_power"}
_QUIET = {"low-power", "quiet", "cool"}


class Machine:
    """Looks at one machine.

    Parameters
    ----------
    root : Path
        Where ``sys`` and ``proc`` are.
    platform : str
        As in `sys.platform`.
    """

    def __init__(self, root: Path = Path("/"), platform: str = sys.platform) -> None:
        self._root = root
        self._linux = platform == "linux"
        self._cpus = root / "sys/devices/system/cpu"

    # -- what the processor can do ------------------------------------------------------------

    def integer_products(self, tier: str) -> str:
        """How the native decoder multiplies in eight bits on a SIMD tier, in words."""
        flags = self._flags()
        if tier == "avx512" or (tier == "avx2" and "avx_vnni" in flags):
            return "eight-bit products in hardware"
        if tier == "avx2" and not flags:
            return "eight-bit products in hardware where the processor has AVX-VNNI"
        if tier == "avx2":
            return "eight-bit products in three instructions, for this processor has no AVX-VNNI"
        if tier == "neon":
            return "eight-bit products by NEON"
        return "eight-bit products one by one"

    def _flags(self) -> set[str]:
        for line in _text(self._root / "proc/cpuinfo").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"flags", "Features"}:
                return set(value.split())
        return set()

    def physical_cores(self) -> int:
        """Cores, their hardware threads counted once; 0: it is not said."""
        siblings = {
            _text(path) for path in self._cpus.glob("cpu[0-9]*/topology/thread_siblings_list")
        }
        return len(siblings - {""})

    # -- what the process may have ------------------------------------------------------------

    def quota(self) -> float:
        """Processors' worth of time that the container allows; 0: as much as there is."""
        found = []
        for folder in self._groups("cpu"):
            limit, _, period = _text(folder / "cpu.max").partition(" ")
            limit = limit or _text(folder / "cpu.cfs_quota_us")
            period = period or _text(folder / "cpu.cfs_period_us")
            if limit.isdigit() and period.isdigit() and int(limit) and int(period):
                found.append(int(limit) / int(period))
        return min(found, default=0.0)

    def times_stopped(self) -> int:
        """How often the container's quota stopped its processes."""
        counts = [
            int(value)
            for folder in self._groups("cpu")
            for line in _text(folder / "cpu.stat").splitlines()
            for name, _, value in (line.partition(" "),)
            if name == "nr_throttled" and value.isdigit()
        ]
        return max(counts, default=0)

    def free_memory(self) -> int:
        """Bytes that a process could take without anything being pushed out; 0: it is not said."""
        free = []
        for line in _text(self._root / "proc/meminfo").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable" and (kilobytes := value.split()[:1])[0].isdigit():
                free.append(int(kilobytes[0]) * 1024)
        for folder in self._groups("memory"):
            most = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
            used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes")
            if most and used:
                free.append(max(1, most - used))
        return min(free, default=0)

    def _groups(self, controller: str) -> Iterator[Path]:
        """Folders of the control groups around this process, its own first."""
        base = self._root / "sys/fs/cgroup"
        for line in _text(self._root / "proc/self/cgroup").splitlines():
            _, controllers, path = [*line.split(":", 2), "", ""][:3]
            if controllers and controller not in controllers.split(","):
                continue
            folder = base / controller if controllers else base
            own = folder / path.strip("/")
            yield own
            yield from (each for each in own.parents if each.is_relative_to(folder))
        yield base
        yield base / controller

    # -- findings -----------------------------------------------------------------------------

    def quota_finding(self, threads: int) -> Finding | None:
        """Whether a container holds the process up; None: there is no quota."""
        quota = self.quota()
        if not quota:
            return None
        stopped = self.times_stopped()
        fits = max(1, int(quota))
        crowded = threads > fits
        return Finding(
            name="processor quota",
            value=f"{quota:g} processors' worth of time"
            + (f"; processes were stopped {stopped} times to keep it" if stopped else ""),
            ok=not crowded,
            advice=f"threads beyond the quota only make each other wait: ASTRAWEAVE_THREADS={fits}"
            if crowded
            else "",
        )

    def power(self) -> list[Finding]:
        """Power settings and heat."""
        if not self._linux:
            return [
                Finding(
                    name="power",
                    value="cannot be seen on this system",
                    advice="play plugged in, and with the power mode for best performance",
                )
            ]
        found = [*self._clock_settings(), *self._profile(), *self._battery(), *self._heat()]
        return found or [Finding(name="power", value="the system says nothing about it")]

    def _clock_settings(self) -> Iterator[Finding]:
        policy = self._cpus / "cpu0/cpufreq"
        governor = _text(policy / "scaling_governor")
        if not governor:
            return
        preference = _text(policy / "energy_performance_preference")
        # Where the hardware chooses its clock, 'powersave' is the usual name and the preference
        # says what is meant; elsewhere it holds the clock at its lowest.
        thrifty = preference in _THRIFTY if preference else governor == "powersave"
        wanted = "performance" if preference or governor == "powersave" else "schedutil"
        yield Finding(
            name="clock governor",
            value=f"{governor}, preference {preference}" if preference else governor,
            advice=f"the processor is kept slow to save power: choose '{wanted}', or a faster "
            "power mode of the desktop"
            if thrifty
            else "",
        )
        most, allowed = (_number(policy / f) for f in ("cpuinfo_max_freq", "scaling_max_freq"))
        if most and allowed and allowed < 0.95 * most:
            yield Finding(
                name="clock limit",
                value=f"{allowed / 1e6:.1f} of {most / 1e6:.1f} GHz",
                advice="something limits the clock: a power mode or a tool such as tlp",
            )
        boost, no_turbo = (
            _text(self._cpus / f) for f in ("cpufreq/boost", "intel_pstate/no_turbo")
        )
        if boost == "0" or no_turbo == "1":
            yield Finding(
                name="clock boost", value="off", advice="a line is slower by what boost would add"
            )

    def _profile(self) -> Iterator[Finding]:
        profile = _text(self._root / "sys/firmware/acpi/platform_profile")
        if profile:
            yield Finding(
                name="power profile",
                value=profile,
                advice="the machine is told to stay quiet: powerprofilesctl set balanced"
                if profile in _QUIET
                else "",
            )

    def _battery(self) -> Iterator[Finding]:
        supplies = sorted((self._root / "sys/class/power_supply").glob("*"))
        plugged = [_text(each / "online") for each in supplies if _text(each / "type") == "Mains"]
        states = [
            _text(each / "status")
            for each in supplies
            # Those of mice and headsets say that they are a device's.
            if _text(each / "type") == "Battery" and _text(each / "scope") != "Device"
        ]
        if not states:
            return
        drained = "Discharging" in states or (bool(plugged) and "1" not in plugged)
        yield Finding(
            name="power supply",
            value="battery" if drained else "plugged in",
            advice="most laptops are slower on battery: plug it in" if drained else "",
        )

    def _heat(self) -> Iterator[Finding]:
        counts = [
            _number(path) for path in self._cpus.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
        ]
        if counts:
            yield Finding(
                name="heat",
                value=f"slowed down {max(counts)} times since the machine was started",
                advice="it gets too hot under load: see to its fans, dust and air"
                if max(counts)
                else "",
            )


def spinning(variables: Mapping[str, str]) -> Finding:
    """Whether threads wait by turning round, as far as variables of other libraries say so.

    Parameters
    ----------
    variables : mapping of str to str
        Those that `astraweave.core.settings.thread_variables` knows, where they are set.
    """
    spins = [f"{name}={value}" for name, value in sorted(variables.items()) if _spins(name, value)]
    return Finding(
        name="spinning",
        value=f"{', '.join(spins)} make threads turn while they wait"
        if spins
        else "none: threads sleep between steps",
        advice="they take the game's cores for nothing: unset them" if spins else "",
    )


def _spins(name: str, value: str) -> bool:
    value = value.strip().lower()
    match name:
        case "OMP_WAIT_POLICY":
            return value == "active"
        case "KMP_BLOCKTIME":
            return value == "infinite" or value.rstrip("mus").lstrip("0") != ""
        case "GOMP_SPINCOUNT":
            return value.lstrip("0") != ""
    return False


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except (OSError, ValueError):
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0
