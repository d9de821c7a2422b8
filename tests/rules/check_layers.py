#!/usr/bin/env python3
"""Fails when a file of src/ includes a room that is not under its own. The table is the architecture."""
import pathlib
import re
import sys

MAY_USE = {
    "base": "",
    "gguf": "base",
    "text": "base gguf",
    "kernels": "base gguf",
    "model": "base gguf",
    "numerics": "base gguf kernels model",
    "grammar": "base text",
    "engine": "base gguf text grammar kernels model numerics",
    "parity": "base gguf model numerics",
    "server": "base text grammar model numerics engine parity",
    "cli": "base gguf text kernels model numerics grammar engine parity server",
}

root = pathlib.Path(sys.argv[1])
files = [f for f in sorted(root.rglob("*")) if f.suffix in (".h", ".cpp")]
bad = []
for f in files:
    room = f.relative_to(root).parts[0]
    if room not in MAY_USE:
        bad.append(f"{f}: no room is called {room}/")
        continue
    for used in re.findall(r'#include "(\w+)/', f.read_text()):
        if used != room and used not in MAY_USE[room].split():
            bad.append(f"{f}: {room}/ may not use {used}/")
print("\n".join(bad) or f"layers ok: {len(files)} files")
sys.exit(bool(bad) or not files)
