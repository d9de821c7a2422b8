#!/usr/bin/env python3
"""Keeps kylin serve under mixed load for a long time, and watches that it does not grow: honest streams, slow readers, clients that abort or
send what is no request, and pauses in between.

  soak.py KYLIN [--minutes 30] [--model M.gguf] [--svg curve.svg]

Prints a table of samples. Exit status: 0 flat, 1 it grew, failed an honest client, or lost pages or descriptors.
"""
import argparse
import asyncio
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import load
from http_stream import Server

N_STREAMS = (12, 3, 24, 8)  # in turn
# Late resident memory over early: what the allocator has not given back yet moves by a few per cent; a leak of 1 KiB a request would be
# more than this after 10 minutes.
MAY_GROW = 1.10


class Sample:
    def __init__(self, pid, begun):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        self.minutes = (time.monotonic() - begun) / 60
        self.rss = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
        self.threads = int(re.search(r"Threads:\s+(\d+)", status)[1])
        self.descriptors = len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


async def storms(server, process, options):
    settings = argparse.Namespace(rounds=2, prompt=40, answer=64, slow=0.2, pause=0.01, hostile=6, idle_seconds=60, pid=None, seed=1)
    begun, samples, problems, n_answers, n_misdeeds = time.monotonic(), [], [], 0, 0
    while time.monotonic() - begun < 60 * options.minutes and not problems:
        n = N_STREAMS[len(samples) % len(N_STREAMS)]
        by_body, _, seen = await load.run_streams(server, n, settings)
        n_answers += len(by_body)
        n_misdeeds += sum(seen.values())
        problems += [answer.error for _, answer in by_body if answer.error]
        # Each tenth storm: every answer again, alone. It must also be idle after each.
        problems += await load.check(server, by_body if len(samples) % 10 == 0 else [], seen, settings)
        await asyncio.sleep(1)  # connections that were cut off end
        samples.append(Sample(process.pid, begun))
    return samples, problems, n_answers, n_misdeeds


def verdicts(samples):
    """Early: the second tenth, when caches are warm. Late: the last tenth."""
    tenth = max(1, len(samples) // 10)
    early, late = samples[tenth:2 * tenth], samples[-tenth:]
    grown = statistics.median(s.rss for s in late) / statistics.median(s.rss for s in early)
    if grown > MAY_GROW:
        yield f"resident memory grew to {grown:.2f} of what it was"
    for what in ("descriptors", "threads"):
        if statistics.median(getattr(s, what) for s in late) > statistics.median(getattr(s, what) for s in early):
            yield f"the number of {what} grew"


def draw(samples, path):
    width, height, left = 640, 160, 44
    top = 1.2 * max(s.rss for s in samples)
    points = " ".join(f"{left + (width - left) * s.minutes / samples[-1].minutes:.1f},{height - height * s.rss / top:.1f}" for s in samples)
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -10 {width + 10} {height + 40}" font-family="sans-serif" font-size="11" '
                    f'fill="#777"><path d="M{left} 0V{height}H{width}" fill="none" stroke="#777"/>'
                    f'<polyline points="{points}" fill="none" stroke="#3b7dd8" stroke-width="1.5"/><text x="0" y="8">{top:.0f} MiB</text>'
                    f'<text x="20" y="{height}">0</text><text x="{width - 60}" y="{height + 16}">{samples[-1].minutes:.0f} minutes</text></svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kylin")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model", help="default: the demo model")
    parser.add_argument("--svg", type=pathlib.Path)
    options = parser.parse_args()
    log = tempfile.NamedTemporaryFile("w+")
    model = ["-m", options.model] if options.model else []
    process = subprocess.Popen([options.kylin, "serve", "--port", "0", "-t", "2", "--parallel", "8", "--queue", "100", *model], stderr=log)
    try:
        while not (found := re.search(r"listens on (http://\S+)", pathlib.Path(log.name).read_text())):
            assert process.poll() is None, pathlib.Path(log.name).read_text()
            time.sleep(0.05)
        samples, problems, n_answers, n_misdeeds = asyncio.run(storms(Server(found[1]), process, options))
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=60)
    print("| minute | resident MiB | descriptors | threads |\n|---|---|---|---|")
    for s in samples[::max(1, len(samples) // 15)]:
        print(f"| {s.minutes:.1f} | {s.rss:.1f} | {s.descriptors} | {s.threads} |")
    print(f"\n{len(samples)} storms, {n_answers} answers to honest clients, {n_misdeeds} misdeeds")
    if options.svg:
        draw(samples, options.svg)
    problems += verdicts(samples)
    if status != 0:
        problems.append(f"exit status {status}")
    for problem in problems[:20]:
        print("error:", problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
