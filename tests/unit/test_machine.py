"""What the doctor sees of a machine, on machines that are folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from astraweave.bench.fault_server import FaultServer
from astraweave.cli._finding import Finding
from astraweave.cli._machine import Machine, spinning
from astraweave.cli._measure import read_seconds, say_decoding
from astraweave.cli.doctor import examine
from astraweave.core.settings import Settings, thread_variables

CPU0 = "sys/devices/system/cpu/cpu0"


def machine(root: Path, files: dict[str, str], platform: str = "linux") -> Machine:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")
    return Machine(root, platform)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {each.name: each for each in findings}


def test_an_empty_machine_says_nothing_and_raises_nothing(tmp_path):
    bare = machine(tmp_path, {})
    assert bare.quota() == 0
    assert bare.free_memory() == 0
    assert bare.physical_cores() == 0
    assert bare.quota_finding(8) is None
    assert [each.value for each in bare.power()] == ["the system says nothing about it"]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_it_says_that_it_cannot_see(tmp_path, platform):
    (power,) = machine(tmp_path, {f"{CPU0}/cpufreq/scaling_governor": "x"}, platform).power()
    assert "cannot be seen" in power.value
    assert power.advice


@pytest.mark.parametrize(
    ("files", "slow"),
    [
        ({"scaling_governor": "performance"}, False),
        ({"scaling_governor": "schedutil"}, False),
        ({"scaling_governor": "powersave"}, True),  # the lowest clock, whatever is asked for
        # The hardware chooses, and 'powersave' is only the usual name.
        (
            {
                "scaling_governor": "powersave",
                "energy_performance_preference": "balance_performance",
            },
            False,
        ),
        ({"scaling_governor": "powersave", "energy_performance_preference": "power"}, True),
    ],
)
def test_clock_governor(tmp_path, files, slow):
    found = by_name(
        machine(tmp_path, {f"{CPU0}/cpufreq/{name}": text for name, text in files.items()}).power()
    )
    assert bool(found["clock governor"].advice) is slow
    assert found["clock governor"].ok  # slow is not broken


def test_a_laptop_on_battery_that_is_hot_and_held_back(tmp_path):
    found = by_name(
        machine(
            tmp_path,
            {
                f"{CPU0}/cpufreq/scaling_governor": "schedutil",
                f"{CPU0}/cpufreq/cpuinfo_max_freq": "4800000",
                f"{CPU0}/cpufreq/scaling_max_freq": "1600000",
                "sys/devices/system/cpu/intel_pstate/no_turbo": "1",
                "sys/firmware/acpi/platform_profile": "low-power",
                "sys/class/power_supply/AC/type": "Mains",
                "sys/class/power_supply/AC/online": "0",
                "sys/class/power_supply/BAT0/type": "Battery",
                "sys/class/power_supply/BAT0/status": "Discharging",
                f"{CPU0}/thermal_throttle/core_throttle_count": "3",
                f"{CPU0}/thermal_throttle/package_throttle_count": "12",
            },
        ).power()
    )
    assert found["clock limit"].value == "1.6 of 4.8 GHz"
    assert found["clock boost"].value == "off"
    assert found["power profile"].value == "low-power"
    assert found["power supply"].value == "battery"
    assert "12 times" in found["heat"].value
    assert all(each.advice for name, each in found.items() if name != "clock governor")


def test_a_desktop_with_a_mouse_is_plugged_in(tmp_path):
    desk = {"hid/type": "Battery", "hid/scope": "Device", "hid/status": "Discharging"}
    laptop = {"BAT/type": "Battery", "BAT/status": "Full", "AC/type": "Mains", "AC/online": "1"}
    under = "sys/class/power_supply/"
    mouse = machine(tmp_path / "a", {under + name: text for name, text in desk.items()})
    assert "power supply" not in by_name(mouse.power())
    full = machine(tmp_path / "b", {under + name: text for name, text in laptop.items()})
    assert by_name(full.power())["power supply"] == Finding(name="power supply", value="plugged in")


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, 0),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            2,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, 0),
        (  # a limit of a group around ours holds for us too
            {
                "proc/self/cgroup": "0::/user.slice/game.scope",
                "sys/fs/cgroup/user.slice/cpu.max": "50000 100000",
                "sys/fs/cgroup/user.slice/game.scope/cpu.max": "400000 100000",
            },
            0.5,
        ),
    ],
)
def test_quota(tmp_path, files, quota):
    assert machine(tmp_path, files).quota() == quota


def test_threads_beyond_the_quota_need_doing(tmp_path):
    held = machine(
        tmp_path,
        {
            "sys/fs/cgroup/cpu.max": "150000 100000",
            "sys/fs/cgroup/cpu.stat": "nr_periods 9\nnr_throttled 7",
        },
    )
    finding = held.quota_finding(4)
    assert finding is not None
    assert not finding.ok
    assert "7 times" in finding.value
    assert "ASTRAWEAVE_THREADS=1" in finding.advice
    fits = held.quota_finding(1)
    assert fits is not None
    assert fits.ok


def test_free_memory_is_what_machine_and_container_leave(tmp_path):
    files = {"proc/meminfo": "MemTotal: 8000 kB\nMemAvailable: 4000 kB"}
    assert machine(tmp_path, files).free_memory() == 4000 * 1024
    files |= {"sys/fs/cgroup/memory.max": "3000000", "sys/fs/cgroup/memory.current": "1000000"}
    assert machine(tmp_path, files).free_memory() == 2_000_000


def test_the_budget_beside_free_memory(tmp_path):
    small = machine(tmp_path, {"proc/meminfo": "MemAvailable: 400000 kB"})
    settings = Settings(model="none", embedder="mock", memory_mb=2000, threads=1)
    budget = by_name(examine(settings, small))["memory budget"]
    assert "2000 MB for all models, and 390 MB are free now" in budget.value
    assert "ASTRAWEAVE_MEMORY_MB=292" in budget.advice


def test_hardware_threads_are_counted_once(tmp_path):
    pairs = {
        f"sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list": f"{n % 4},{n % 4 + 4}"
        for n in range(8)
    }
    assert machine(tmp_path, pairs).physical_cores() == 4


@pytest.mark.parametrize(
    ("tier", "flags", "words"),
    [
        ("avx512", "avx2", "in hardware"),
        ("avx2", "avx2 avx_vnni", "in hardware"),
        ("avx2", "avx2", "no AVX-VNNI"),
        ("neon", "", "NEON"),
        ("scalar", "", "one by one"),
    ],
)
def test_integer_products(tmp_path, tier, flags, words):
    files = {"proc/cpuinfo": f"processor\t: 0\nflags\t\t: {flags}"}
    assert words in machine(tmp_path, files).integer_products(tier)


@pytest.mark.parametrize(
    ("name", "value", "turns"),
    [
        ("OMP_WAIT_POLICY", "ACTIVE", True),
        ("OMP_WAIT_POLICY", "passive", False),
        ("KMP_BLOCKTIME", "200", True),
        ("KMP_BLOCKTIME", "0", False),
        ("KMP_BLOCKTIME", "infinite", True),
        ("GOMP_SPINCOUNT", "1000", True),
    ],
)
def test_spinning(name, value, turns):
    finding = spinning(thread_variables({name: value, "PATH": "/bin"}))
    assert bool(finding.advice) is turns
    assert (f"{name}={value}" in finding.value) is turns


def test_an_unknown_provider_is_a_finding():
    found = by_name(examine(Settings(provider="abacus", embedder="mock")))
    assert not found["decoder"].ok
    assert "abacus" in found["decoder"].value


@pytest.mark.parametrize("threads", [1, 3])
def test_reading_memory_ends(threads):
    assert 0 < read_seconds(1 << 20, threads, seconds=0.01) < 60


def test_what_a_measurement_says():
    found = by_name(say_decoding(0.010, 0.016, floor=0.008, weight_bytes=160_000_000, threads=2))
    assert "20.0 GB/s with 2 threads" in found["reading memory"].value
    assert "100 tokens/s" in found["one line"].value
    assert "80%" in found["one line"].value
    assert not found["one line"].advice
    assert "500 tokens/s together" in found["eight lines"].value
    assert "5.0 times" in found["eight lines"].value
    slow = by_name(say_decoding(0.030, 0.060, floor=0.008, weight_bytes=1, threads=1))
    assert slow["one line"].advice


@pytest.fixture
def server() -> Iterator[FaultServer]:
    pytest.importorskip("aiohttp")
    with FaultServer() as server:
        yield server


def asked(server: FaultServer, model: str = "") -> Finding:
    settings = Settings(model=f"{server.url}#{model}", embedder="mock", threads=1)
    return by_name(examine(settings))["server of the model"]


def test_a_server_that_has_the_model(server):
    found = asked(server)
    assert found.ok
    assert found.value.startswith(f"{server.url} has ")
    name = found.value.split(" has ")[1].split(",")[0]
    assert asked(server, name).ok


def test_a_server_that_has_another_model(server):
    found = asked(server, "no-such-model")
    assert not found.ok
    assert "'no-such-model'" in found.advice


@pytest.mark.parametrize("mode", ["refuse", "reset", "server_error", "huge"])
def test_a_server_in_trouble_needs_doing(server, mode):
    server.mode = mode
    found = asked(server)
    assert not found.ok
    assert "lines are composed" in found.advice


def test_a_server_that_speaks_otherwise_is_left_alone(server):
    server.mode = "malformed_json"  # some answer chats and know no list of models
    found = asked(server)
    assert found.ok
    assert found.value == f"{server.url} answers, and names no models"
