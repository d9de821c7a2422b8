#!/usr/bin/env python3
"""No code compiled for one instruction set may run on a CPU without it.

An object of isa/ with flags of its own may export its table and nothing else: a weak symbol (an inline function, a template of the
standard library) could be the copy that the linker keeps for everybody. And no other object may hold an AVX instruction at all, or on
AArch64 one that is not in its first version.
Usage: check_isa_leak.py PROCESSOR NM OBJDUMP OBJECT...   (x86_64 or aarch64, its tools, every object of the kernels room)
"""
import re
import subprocess
import sys
from pathlib import Path

WEAK = "WwVvu"
# AVX in the widest sense: a mnemonic with v, a 256- or 512-bit register, a mask register, a register above 15.
AVX512 = re.compile(r"%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])\b")
GFNI = re.compile(r"\tv?gf2p8")
AVX = re.compile(r"\sv[a-z0-9]+\s.*%[xyz]mm|%ymm|" + AVX512.pattern)
# What -march=armv8.2-a+dotprod lets g++ use: the dot product, and the atomics of 8.1.
DOTPROD = re.compile(r"\t([su]dot|cas[a-z]*|swp[a-z]*|(ld|st)(add|clr|eor|set)[a-z]*)\t")
I8MM = re.compile(r"\t([su]mmla|us(mmla|dot)|sudot)\t")
# Of each table's object, and under None of all others: what it may not hold.
FORBIDDEN = {
    "x86_64": {None: AVX, "avx2": re.compile(f"{AVX512.pattern}|{GFNI.pattern}"), "avx_vnni": AVX512, "avx512": GFNI, "avx512_cascade_lake": GFNI,
               "avx512_intel": None},
    "aarch64": {None: re.compile(f"{DOTPROD.pattern}|{I8MM.pattern}"), "neon": I8MM, "neon_i8mm": None},
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def table_name(path, tables):
    """'avx2' for .../isa/avx2.cpp.o, None for an object outside the vector instruction sets."""
    stem = path.name.split(".")[0]
    return stem if path.parent.name == "isa" and stem in tables else None


def symbol_errors(nm, path, isa):
    for line in run(nm, "--defined-only", "--demangle", str(path)):
        kind, name = line.split(maxsplit=2)[1:]
        if kind in WEAK:
            yield f"{path.name}: weak symbol {name}"
        elif kind.isupper() and not name.endswith(f"::{isa}_kernels"):
            yield f"{path.name}: exports {name}"


def instruction_errors(objdump, path, forbidden):
    if not forbidden:
        return
    function = "?"
    for line in run(objdump, "-d", "--no-show-raw-insn", "--demangle", str(path)):
        if line.endswith(">:"):
            function = line.split("<", 1)[1][:-2]
        elif forbidden.search(line):
            yield f"{path.name}: {' '.join(line.split()[1:])} in {function}"
            return  # one is enough to know


def main(processor, nm, objdump, *objects):
    forbidden = FORBIDDEN[processor]
    isa_of = {Path(p): table_name(Path(p), forbidden) for p in objects}
    errors = [f"no object of isa/{isa}.cpp was given" for isa in forbidden if isa not in isa_of.values()]
    for path, isa in isa_of.items():
        if isa:
            errors += symbol_errors(nm, path, isa)
        errors += instruction_errors(objdump, path, forbidden[isa])
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
