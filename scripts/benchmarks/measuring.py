"""Timing for benchmark.py: contenders take turns, and the report has the medians and the machine."""

import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from benchmarks.gpus import find_gpus
from keras_alexnet.files import write_text
from keras_alexnet.machine import available_cores, processor
from keras_alexnet.reporting.tables import markdown

# those that set the pace
INSTRUCTION_SETS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
AMOUNTS = ("MB", "s")  # units of which less is better; the others are rates
PACKAGES = ("tensorflow", "jax", "keras", "torch", "numpy", "pillow")


def take_turns(
    contenders: dict[str, tuple[Callable[[], Any], float]], repeats: int, seconds: float
) -> dict[str, list[float]]:
    """Time the contenders in turn, round by round, so that changes of the machine affect all of them equally.

    Args:
        contenders: By name, a function without arguments and the amount of work that one call does.
        repeats: Number of rounds, after one round that is not counted.
        seconds: Shortest length of a turn. A longer step is called once.

    Returns:
        Work per second, one number per round, by name.
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


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One comparison.

    Attributes:
        topic: What is measured, as named by `--only`.
        subject: Batch size, precision and shape.
        unit: Unit of the rates.
        rates: One number per round, by contender: a rate, or an amount if the unit is in `AMOUNTS`. All others are
            compared with the first.
        busy: Mean utilization of each GPU in a contender's turns, in percent, where it was measured.
    """

    topic: str
    subject: str
    unit: str
    rates: dict[str, list[float]]
    busy: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    @property
    def medians(self) -> dict[str, float]:
        """Return the median rate of each contender."""
        return {name: statistics.median(rates) for name, rates in self.rates.items()}

    @property
    def ratios(self) -> dict[str, float]:
        """Return how many times better the first contender is than each other: the median of the ratios per round.

        Better is a higher rate, or a smaller amount of time or memory.
        """
        (_, first), *others = self.rates.items()
        sign = -1 if self.unit in AMOUNTS else 1
        return {
            name: statistics.median((ours / theirs) ** sign for ours, theirs in zip(first, rates, strict=True))
            for name, rates in others
        }

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield rows of the Markdown table, one for each other contender."""
        first, *others = ((name, self._cell(name, rate)) for name, rate in self.medians.items())
        cells = {"measured": f"{self.topic}, {self.subject}, {self.unit}", "": first[1]}
        for other, cell in others or [("", "")]:
            yield cells | {"against": cell, "ratio": f"{self.ratios[other]:.2f}" if other else ""}
            cells = {"measured": "", "": ""}

    def _cell(self, name, rate):
        busy = ", ".join(f"{percent:.0f} %" for percent in self.busy.get(name, ()))
        return f"{name}: {_short(rate)}" + (f" (GPU {busy})" if busy else "")


def _short(number):
    """Format a number with three significant digits, such as 6.02, 22.1 or 1140."""
    return f"{number:.{max(0, 2 - len(str(int(number))) + 1)}f}"


class Report:
    """The measurements, saved to a JSON file after each, and as Markdown at the end.

    Args:
        path: The JSON file, or None.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None):
        self.path = path
        self.machine = machine()
        self.measurements = []
        self.left_out = []
        self._write()

    def add(
        self,
        topic: str,
        subject: str,
        unit: str,
        rates: dict[str, list[float]],
        busy: dict[str, list[float]] | None = None,
    ) -> None:
        """Add a measurement, print its table to stderr and save the report."""
        measurement = Measurement(topic, subject, unit, rates, busy or {})
        self.measurements.append(measurement)
        self._write()
        print(markdown(measurement.rows()), file=sys.stderr, flush=True)

    def leave_out(self, reason: str) -> None:
        """Record once what is not measured, and why."""
        if reason not in self.left_out:
            self.left_out.append(reason)
            self._write()

    def markdown(self) -> str:
        """Return the table, the machine, and the measurements that were left out."""
        rows = (row for measurement in self.measurements for row in measurement.rows())
        rounds = sorted({len(rates) for measurement in self.measurements for rates in measurement.rates.values()})
        lines = [
            markdown(rows),
            "",
            f"Medians of {' or '.join(map(str, rounds))} rounds, in which the contenders took turns. The ratio is how "
            "many times as fast the first one is, or how many times as much time or memory the other one needs. It is "
            "the median of the ratios within each round, so that changes of the machine affect it little, and may "
            f"differ from the ratio of the two medians. {self._described()}",
        ]
        lines += [f"- Left out: {reason}" for reason in self.left_out]
        return "\n".join(lines)

    def _described(self):
        machine = self.machine
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        return (
            f"Machine: {machine['processor']}, {machine['cores']} cores ({' '.join(machine['instruction_sets'])}), "
            f"{''.join(f'{name}, ' for name in machine['gpus'])}"
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
        write_text(self.path, json.dumps(report, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """Return the conditions of the measurements."""
    model, flags = processor()
    return {
        "processor": model,
        "cores": available_cores(),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "gpus": find_gpus(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(psutil.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["python", *sys.argv]),
    }


def _versions():
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
