#!/usr/bin/env python3
"""The AVX-512 loops that multiply must keep their sums in registers: in an object file, of each innermost loop with many vector products,
vectors that go through the stack are counted. A quarter of the products is allowed: 32 registers hold the sums of a tile, but not always
the totals that a block adds to at its end (14 moves for 64 products). A compiler that computes all products first spills every one.

Usage: hot_loops.py OBJECT   Exit status 1 if a loop spills, or if there is none to look at.
"""
import re
import subprocess
import sys

PRODUCT = re.compile(r"\b(vpdpbusd|vpmaddubsw|vfn?m(add|sub)\d+ps)\b")
STACK_VECTOR = re.compile(r"\bv\w+ .*%[xyz]mm\d+.*\(%r[sb]p|\bv\w+ .*\(%r[sb]p[^)]*\).*%[xyz]mm\d+")
INSTRUCTION = re.compile(r"\s*([0-9a-f]+):\s+(.*)")
MANY = 16


def functions(path):
    """Lists of (address, text) of each function."""
    lines = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    body = []
    for line in lines:
        if line.endswith(">:"):
            yield body
            body = []
        elif match := INSTRUCTION.match(line):
            body.append((int(match[1], 16), match[2]))
    yield body


def innermost_loops(body):
    place = {address: i for i, (address, _) in enumerate(body)}
    loops = []
    for i, (address, text) in enumerate(body):
        if (match := re.match(r"j\w+\s+([0-9a-f]+)", text)) and int(match[1], 16) < address and int(match[1], 16) in place:
            loops.append((place[int(match[1], 16)], i))
    return [(a, b) for a, b in loops if not any((c, d) != (a, b) and a <= c and d <= b for c, d in loops)]


def main():
    n_loops, bad = 0, []
    for body in functions(sys.argv[1]):
        for first, last in innermost_loops(body):
            texts = [text for _, text in body[first:last + 1]]
            products = sum(bool(PRODUCT.search(t)) for t in texts)
            if products < MANY:
                continue
            n_loops += 1
            moved = sum(bool(STACK_VECTOR.search(t)) for t in texts)
            if moved > products / 4:
                bad.append(f"loop at {body[first][0]:x}: {products} products, {moved} vectors through the stack")
    print(f"{n_loops} loops with at least {MANY} products, {len(bad)} of them spill")
    print(*bad, sep="\n")
    sys.exit(bool(bad) or n_loops == 0)


if __name__ == "__main__":
    main()
