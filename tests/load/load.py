#!/usr/bin/env python3
"""Loads an OpenAI-compatible server with N streams at once, and with clients that misbehave; says how fast it was and whether it kept its word.

  load.py --url http://127.0.0.1:8080 --streams 1,8,64 --prompt 32 --answer 64 --pid $(pgrep kylin)
  load.py --streams 400 --slow 0.1 --hostile 40 --check        a storm against Kylin

Exit status: 0 all well, 1 an honest client was failed or a check did, 2 bad usage.
"""
import argparse
import asyncio
import collections
import json
import random
import sys
import time

import clients
from http_stream import Refused, Server


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


async def misbehave(server, draw, options, seen):
    """Until it is cancelled, one misdeed after the other."""
    while True:
        try:
            if draw.random() < 0.3:
                seen[f"malformed: {await clients.malformed(server, draw)}"] += 1
            else:
                seen[await clients.abort(server, draw, options.prompt, 4 * options.answer)] += 1
        except OSError as error:
            seen[f"no connection: {type(error).__name__}"] += 1
        await asyncio.sleep(draw.uniform(0, 0.05))


async def run_streams(server, n, options):
    """One row: n honest streams together, `rounds` answers each, beside the hostile ones."""
    seen = collections.Counter()
    hostile = [asyncio.create_task(misbehave(server, random.Random(1000 * options.seed + i), options, seen)) for i in range(options.hostile)]
    bodies = [clients.make_body(options.seed + i, options.prompt, options.answer) for i in range(n * options.rounds)]

    n_slow = int(options.slow * n)
    ends = []

    async def one(i):
        answers = [await clients.honest(server, body, options.pause if i < n_slow else 0.0) for body in bodies[i::n]]
        if i >= n_slow:
            ends.append(time.monotonic())
        return answers

    begun = time.monotonic()
    answers = await asyncio.gather(*(one(i) for i in range(n)))
    for task in hostile:
        task.cancel()
    await asyncio.gather(*hostile, return_exceptions=True)
    options.seed += len(bodies)  # the next row has prompts of its own: none is in a cache
    by_body = [(bodies[i + n * k], answer) for i, mine in enumerate(answers) for k, answer in enumerate(mine)]
    fast = [answer for mine in answers[n_slow:] for answer in mine if not answer.error]
    return by_body, row_of(n, by_body, fast, max(ends) - begun, options), seen


def row_of(n, by_body, fast, seconds, options):
    """Speed and times are those of the streams that read as fast as they can."""
    failed = sum(1 for _, a in by_body if a.error)
    gaps = [gap for a in fast for gap in a.gaps]
    return {"streams": n, "answers": len(by_body) - failed, "failed": failed, "seconds": seconds,
            "tokens_per_second": sum(a.n_answer for a in fast) / seconds, "prompt_tokens": sum(a.n_prompt for a in fast),
            "answer_tokens": sum(a.n_answer for a in fast), "ttft_p50": percentile([a.first for a in fast], 0.5),
            "ttft_p99": percentile([a.first for a in fast], 0.99), "gap_p50": percentile(gaps, 0.5), "gap_p99": percentile(gaps, 0.99),
            "refused_429": sum(a.n_refused for _, a in by_body), "peak_mib": peak_mib(options.pid) if options.pid else None}


async def wait_idle(server, timeout):
    """None once nothing runs and every page is free or kept for its prefix alone; else what /slots says at the end."""
    end = time.monotonic() + timeout
    while True:
        slots = json.loads(await server.ask("GET", "/slots"))
        pages = slots["kv_pages"]
        if slots["running"] == slots["waiting"] == pages["used"] == 0 and not slots["answers"]:
            return None
        if time.monotonic() > end:
            return slots
        await asyncio.sleep(0.05)


async def check(server, by_body, seen, options):
    """What Kylin promises after any storm."""
    problems = []
    busy = await wait_idle(server, options.idle_seconds)
    if busy:
        problems.append(f"not idle {options.idle_seconds:g} s after the last client: {json.dumps(busy)[:400]}")
    for body, answer in by_body:
        alone = await clients.honest(server, body)
        if alone.error or alone.text != answer.text or alone.n_answer != body["max_tokens"]:
            problems.append(f"seed {body['seed']}: {answer.text[:60]!r}, but alone {alone.text[:60]!r} {alone.error}")
    for what, count in seen.items():
        status = int(what.split()[1]) if what.startswith("malformed") else 400
        if not (status == 0 or 400 <= status < 500 or status in (501, 505)):
            problems.append(f"{count} times status {status} for what is no request")
    return problems


def show(rows):
    print("| streams | tokens/s | of one stream | TTFT p50 | p99 | between tokens p50 | p99 | failed | 429 | peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    one = next((r["tokens_per_second"] for r in rows if r["streams"] == 1), None)
    for r in rows:
        share = f"{r['tokens_per_second'] / one:.2f}" if one else ""
        memory = f"{r['peak_mib']:.0f}" if r["peak_mib"] else ""
        print(f"| {r['streams']} | {r['tokens_per_second']:.1f} | {share} | {r['ttft_p50']:.3f} s | {r['ttft_p99']:.3f} s | "
              f"{r['gap_p50'] * 1e3:.1f} ms | {r['gap_p99'] * 1e3:.1f} ms | {r['failed']} | {r['refused_429']} | {memory} |")
    for r in rows:
        if r["misdeeds"]:
            print(f"\nbeside {r['streams']} streams: " + ", ".join(f"{count} {what}" for what, count in r["misdeeds"].items()))


async def work(options):
    server, rows, problems = Server(options.url), [], []
    for n in options.streams:
        by_body, row, seen = await run_streams(server, n, options)
        rows.append({**row, "misdeeds": dict(sorted(seen.items()))})
        problems += [f"{n} streams, seed {body['seed']}: {answer.error}" for body, answer in by_body if answer.error]
        if options.check:
            problems += await check(server, [pair for pair in by_body if not pair[1].error], seen, options)
    if options.json:
        print(json.dumps({"rows": rows, "problems": problems}, indent=1))
    else:
        show(rows)
    for problem in problems[:20]:
        print("error:", problem, file=sys.stderr)
    return 1 if problems else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--streams", default="1,8", type=lambda text: [int(n) for n in text.split(",")], help="honest streams at once; one row each")
    parser.add_argument("--rounds", type=int, default=1, help="answers that each stream asks for, one after the other")
    parser.add_argument("--prompt", type=int, default=32, help="tokens of a prompt")
    parser.add_argument("--answer", type=int, default=64, help="tokens of an answer")
    parser.add_argument("--slow", type=float, default=0, help="share of the honest streams that read slowly; their times are not counted")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds that a slow reader waits after each piece")
    parser.add_argument("--hostile", type=int, default=0, help="clients beside them that abort at random phases or send what is no request")
    parser.add_argument("--check", action="store_true", help="the server is Kylin: idle afterwards, and each answer as when asked alone")
    parser.add_argument("--idle-seconds", type=float, default=30, help="how long --check waits for the end of what runs")
    parser.add_argument("--pid", type=int, help="report the peak memory of this process")
    parser.add_argument("--seed", type=int, default=1, help="of the first prompt")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(work(parse())))
    except (OSError, Refused) as error:
        print("error:", error, file=sys.stderr)
        sys.exit(1)
