"""NVIDIA GPUs, as `nvidia-smi` tells of them: their names, and how busy they are."""

import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Sequence

INTERVAL = 100  # milliseconds between two samples
QUERY = ("nvidia-smi", "--format=csv,noheader,nounits")


def find_gpus() -> list[str]:
    """Return the names of the GPUs of this machine; none where there is no `nvidia-smi`."""
    if not shutil.which("nvidia-smi"):
        return []
    answer = subprocess.run([*QUERY, "--query-gpu=name"], capture_output=True, text=True)
    return answer.stdout.splitlines() if answer.returncode == 0 else []


class Watch:
    """Samples how busy the GPUs are, within a `with` block. Where there are none, it has no samples.

    Attributes:
        samples: For each GPU by its index, pairs of a time, as `time.perf_counter` tells, and a utilization in percent.
    """

    def __init__(self) -> None:
        self.samples = {}
        self._process = None

    def __enter__(self) -> "Watch":
        if find_gpus():
            command = [*QUERY, "--query-gpu=index,utilization.gpu", f"--loop-ms={INTERVAL}"]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            index, _, percent = line.partition(",")
            if percent.strip().isdecimal():  # not "[N/A]"
                self.samples.setdefault(index, []).append((time.perf_counter(), int(percent)))

    def means(self, turns: Sequence[tuple[float, float]]) -> list[float]:
        """Return the mean utilization of each GPU in turns from one time to another; nothing without a sample."""
        within = (
            [percent for moment, percent in samples if any(start <= moment <= end for start, end in turns)]
            for samples in self.samples.values()
        )
        return [statistics.mean(found) for found in within if found]
