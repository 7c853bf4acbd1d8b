"""Fair timing for benchmark.py: contenders in turn, medians, and a report that names the machine."""

import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import statistics
import sys
import time

import psutil

from keras_alexnet.files import atomic_write

INSTRUCTION_SETS = (
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
)  # those that set the pace
PACKAGES = ("tensorflow", "keras", "torch", "numpy", "pillow")


def take_turns(contenders, repeats, seconds):
    """Time the contenders one after the other, round by round, so that a drift of the machine hits all alike.

    Args:
        contenders: `(step, work)` by name: a function without arguments, and how much one call of it does.
        repeats: Number of rounds, after one that is not counted.
        seconds: Least length of a turn; a step that is longer is called once.

    Returns:
        Work a second, one number a round, by name.
    """
    rates = {name: [] for name in contenders}
    for number in range(-1, repeats):
        for name, (step, work) in contenders.items():
            rate = work * _calls_a_second(step, seconds)
            if number >= 0:
                rates[name].append(rate)
    return rates


def _calls_a_second(step, seconds):
    calls, started = 0, time.perf_counter()
    while True:
        step()
        calls += 1
        elapsed = time.perf_counter() - started
        if elapsed >= seconds:
            return calls / elapsed


def available_cores():
    """How many cores this process may use, which may be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One comparison.

    Attributes:
        topic: What is measured, a name of `--only`.
        subject: On what: batch size, precision, shape.
        unit: Of the rates.
        rates: One number a round, by contender; all others are compared with the first.
    """

    topic: str
    subject: str
    unit: str
    rates: dict[str, list[float]]

    @property
    def medians(self):
        """The median rate of each contender."""
        return {name: statistics.median(rates) for name, rates in self.rates.items()}

    @property
    def ratios(self):
        """How many times as fast the first is as each other: the median of the rounds' own ratios."""
        (_, first), *others = self.rates.items()
        return {
            name: statistics.median(ours / theirs for ours, theirs in zip(first, rates, strict=True))
            for name, rates in others
        }

    def rows(self):
        """Rows of the table in Markdown, one for each other contender."""
        (name, rate), *others = self.medians.items()
        cells = [f"{self.topic}, {self.subject}, {self.unit}", f"{name}: {_short(rate)}"]
        for other, rate in others or [("", None)]:
            against = [f"{other}: {_short(rate)}", f"{self.ratios[other]:.2f}"] if other else ["", ""]
            yield f"| {' | '.join(cells + against)} |"
            cells = ["", ""]


def _short(number):
    """Three digits: 6.02, 22.1, 1140."""
    return f"{number:.{max(0, 2 - len(str(int(number))) + 1)}f}"


class Report:
    """What was measured, kept in a JSON file after each measurement, in Markdown at the end.

    Args:
        path: The JSON file, or None.
    """

    def __init__(self, path=None):
        self.path = path
        self.machine = machine()
        self.measurements = []
        self.left_out = []
        self._write()

    def add(self, topic, subject, unit, rates):
        """Take a measurement in."""
        measurement = Measurement(topic, subject, unit, rates)
        self.measurements.append(measurement)
        self._write()
        print("\n".join(measurement.rows()), file=sys.stderr, flush=True)  # for who waits; the table comes at the end

    def leave_out(self, reason):
        """Say once what is not measured, and why."""
        if reason not in self.left_out:
            self.left_out.append(reason)
            self._write()

    def markdown(self):
        """The table, the machine, and what was left out."""
        lines = ["| measured | | against | times as fast |", "|---|---|---|---|"]
        lines += [row for measurement in self.measurements for row in measurement.rows()]
        rounds = sorted({len(rates) for measurement in self.measurements for rates in measurement.rates.values()})
        lines += [
            "",
            f"Medians of {' or '.join(map(str, rounds))} rounds, each contender in its turn. How many times as "
            "fast is the median of the ratios within each round, which the machine's drift does not touch: it may "
            f"differ from the ratio of the two medians beside it. {self._described()}",
        ]
        lines += [f"- Left out: {reason}" for reason in self.left_out]
        return "\n".join(lines)

    def _described(self):
        machine = self.machine
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        return (
            f"Machine: {machine['processor']}, {machine['cores']} cores ({' '.join(machine['instruction_sets'])}), "
            f"{machine['memory_gib']} GiB, {machine['system']}, load {machine['load']} before; "
            f"Python {machine['python']}, {versions}; {machine['date']}; `{machine['command']}`."
        )

    def _write(self):
        if self.path is None:
            return
        measurements = [
            {**dataclasses.asdict(one), "medians": one.medians, "ratios": one.ratios} for one in self.measurements
        ]
        report = {"machine": self.machine, "measurements": measurements, "left_out": self.left_out}
        with atomic_write(self.path) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n")


def machine():
    """What the figures depend on beside the code."""
    model, flags = _processor()
    return {
        "processor": model,
        "cores": available_cores(),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(psutil.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["python", *sys.argv]),
    }


def _processor():
    """Its name and its features, as Linux tells them; elsewhere the name alone."""
    path = pathlib.Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine(), []
    lines = (line.partition(":") for line in path.read_text().splitlines())
    entries = {key.strip(): value.strip() for key, _, value in lines}
    return entries.get("model name", platform.machine()), entries.get("flags", entries.get("Features", "")).split()


def _versions():
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
