#!/usr/bin/env python3
"""No code compiled for one instruction set may run on a CPU without it.

An object of isa/avx*.cpp may export its table and nothing else: a weak symbol (an inline function, a template of the standard library)
could be the copy that the linker keeps for everybody. And no other object may hold an AVX instruction at all.
Usage: check_isa_leak.py OBJECT...   (every object of the kernels room)
"""
import re
import subprocess
import sys
from pathlib import Path

VECTOR_TABLES = {"avx2": "avx2_kernels", "avx512": "avx512_kernels"}
WEAK = "WwVvu"
# AVX in the widest sense: a mnemonic with v, a 256- or 512-bit register, a mask register, a register above 15.
AVX512 = re.compile(r"%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])\b")
AVX = re.compile(r"\sv[a-z0-9]+\s.*%[xyz]mm|%ymm|" + AVX512.pattern)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def table_name(path):
    """'avx2' for .../isa/avx2.cpp.o, None for an object outside the vector instruction sets."""
    stem = path.name.split(".")[0]
    return stem if path.parent.name == "isa" and stem in VECTOR_TABLES else None


def symbol_errors(path, isa):
    for line in run("nm", "--defined-only", "--demangle", str(path)):
        kind, name = line.split(maxsplit=2)[1:]
        if kind in WEAK:
            yield f"{path.name}: weak symbol {name}"
        elif kind.isupper() and not name.endswith("::" + VECTOR_TABLES[isa]):
            yield f"{path.name}: exports {name}"


def instruction_errors(path, isa):
    forbidden = {None: AVX, "avx2": AVX512, "avx512": None}[isa]
    if not forbidden:
        return
    function = "?"
    for line in run("objdump", "-d", "--no-show-raw-insn", "--demangle", str(path)):
        if line.endswith(">:"):
            function = line.split("<", 1)[1][:-2]
        elif forbidden.search(line):
            yield f"{path.name}: {' '.join(line.split()[1:])} in {function}"
            return  # one is enough to know


def main(paths):
    seen = {table_name(p) for p in paths}
    errors = [f"no object of isa/{isa}.cpp was given" for isa in VECTOR_TABLES if isa not in seen]
    for path in paths:
        isa = table_name(path)
        if isa:
            errors += symbol_errors(path, isa)
        errors += instruction_errors(path, isa)
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main([Path(p) for p in sys.argv[1:]]))
