#!/usr/bin/env python3
"""The loops that multiply must keep their sums in registers, and fetch weights, in the object file of an instruction set. Three things are
looked at:

- Of each loop of a tile with many vector products, and no loop with products in it, the vectors that go through the stack. By g++ 12 in
  AVX-512 a quarter of the products is allowed: 32 registers hold the sums of a tile, but not always the totals that a block adds to at its
  end (14 moves for 64 products). AVX2 has 16 registers; its worst tiles move 54 vectors for 64 products and 41 for 32, so 1.5 are allowed.
  A compiler that computes all products first spills every one, and loads it again. clang 14 moves up to 24 for 30 products (AVX-512), 170
  for 48 (AVX2, Q2_K) and 135 for 48 (AVX-VNNI).
- Calls out of the function of a tile. One that is not inlined takes its sums through memory: it cost two thirds of the speed of AVX2.
- Tiles in which no instruction fetches weights that lie ahead. g++ 12 dropped calls of a function that only fetches, and a decode step
  took a fifth longer. (What is fetched to be written, prefetchw, are the outputs.)

Usage: hot_loops.py OBJECT MOVES_PER_PRODUCT   Exit status 1 if one of these is found, or if there is no loop or no tile to look at.
"""
import re
import subprocess
import sys

PRODUCT = re.compile(r"\b(vpdpbusd|vpmaddubsw|vfn?m(add|sub)\d+ps)\b")
STACK_VECTOR = re.compile(r"\bv\w+ .*%[xyz]mm\d+.*\(%r[sb]p|\bv\w+ .*\(%r[sb]p[^)]*\).*%[xyz]mm\d+")
FUNCTION = re.compile(r"[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"\s*([0-9a-f]+):\s+(.*)")
TILE = re.compile(r"(run|add)_tileI")
MATMUL_TILE = re.compile(r"run_tileI")
ALLOWED_CALL = "__stack_chk_fail"
MANY = 16


def functions(path):
    """The name of each function and its (address, text) pairs. A call whose target the linker fills in has its name in a line after it."""
    lines = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", path], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    name, body = "", []
    for line in lines:
        if match := FUNCTION.match(line):
            yield name, body
            name, body = match[1], []
        elif (match := INSTRUCTION.match(line)) and match[2].startswith("R_X86_64"):
            body[-1] = (body[-1][0], body[-1][1] + " " + match[2])
        elif match:
            body.append((int(match[1], 16), match[2]))
    yield name, body


def product_loops(body):
    """The number of products and the instructions of each loop with many, unless a loop with products is in it."""
    place = {address: i for i, (address, _) in enumerate(body)}
    loops = []
    for i, (address, text) in enumerate(body):
        if (match := re.match(r"j\w+\s+([0-9a-f]+)", text)) and int(match[1], 16) < address and int(match[1], 16) in place:
            first = place[int(match[1], 16)]
            products = sum(bool(PRODUCT.search(text)) for _, text in body[first:i + 1])
            if products > 0:
                loops.append((first, i, products))
    for a, b, products in loops:
        # By where the other ends: a compiler may enter it in its middle, and so begin the outer one there.
        if products >= MANY and not any((c, d) != (a, b) and a <= d <= b for c, d, _ in loops):
            yield products, body[a:b + 1]


def is_another(body):
    """Whether g++ found the same instructions in another function, and made this one a jump there."""
    return body[0][1].startswith("jmp")


def calls(body):
    return [text for _, text in body if text.startswith("call") and ALLOWED_CALL not in text]


def main():
    path, moves_per_product = sys.argv[1], float(sys.argv[2])
    n_loops, n_tiles, bad = 0, 0, []
    for name, body in functions(path):
        if not TILE.search(name) or is_another(body):
            continue
        if MATMUL_TILE.search(name):
            n_tiles += 1
            bad += [f"{name}: {text}" for text in calls(body)]
            if not any(text.startswith("prefetcht") for _, text in body):
                bad.append(f"{name}: does not fetch ahead")
        for products, loop in product_loops(body):
            n_loops += 1
            moved = sum(bool(STACK_VECTOR.search(text)) for _, text in loop)
            if moved > products * moves_per_product:
                bad.append(f"loop at {loop[0][0]:x}: {products} products, {moved} vectors through the stack")
    print(f"{n_loops} loops with at least {MANY} products, {n_tiles} tiles, {len(bad)} faults")
    print(*bad, sep="\n")
    sys.exit(bool(bad) or n_loops == 0 or n_tiles == 0)


if __name__ == "__main__":
    main()
