#!/usr/bin/env python3
"""Compares two traces stage by stage. Exit status: 0 within the limit, 1 beyond it, 2 not comparable.

rel is the largest ||a - b|| / ||b|| over the rows (tokens; for scores and probabilities head and token), b the reference.
Not comparable: other tokens, another shape, NaN or Inf, no stage in common, a stage missing on one side (unless --allow-missing).
"""
import argparse
import sys

import numpy as np

import safetensors_io


def compare(a, b):
    """(largest absolute difference, largest relative difference of a row, NMSE) in float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    difference = (a - b).reshape(-1, b.shape[-1])
    norms = np.linalg.norm(b.reshape(-1, b.shape[-1]), axis=1)
    errors = np.linalg.norm(difference, axis=1)
    relative = np.divide(errors, norms, out=np.where(errors > 0, np.inf, 0.0), where=norms > 0)
    energy = np.sum(b * b)
    return np.abs(difference).max(), relative.max(), np.sum(difference**2) / energy if energy else float(np.any(difference)) * np.inf


def flat(array, name):
    """Heads may be written apart or in one row."""
    return array if name.startswith(("attn_scores", "attn_probs")) else array.reshape(len(array), -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a")
    parser.add_argument("b", help="the reference")
    parser.add_argument("--rel", type=float, help="limit of rel for every stage")
    parser.add_argument("--table", action="store_true", help="print every layer, not only the largest figures over all layers")
    parser.add_argument("--allow-missing", action="store_true", help="stages missing on one side are listed, but no failure")
    args = parser.parse_args()
    (a, about_a), (b, about_b) = safetensors_io.read(args.a), safetensors_io.read(args.b)

    problems = []
    if about_a.get("tokens") is None or about_a["tokens"].replace(" ", "") != about_b.get("tokens", "").replace(" ", ""):
        problems.append(f"tokens differ: {about_a.get('tokens')} and {about_b.get('tokens')}")
    missing = [f"{name}: missing in {path}" for path, one, other in ((args.a, a, b), (args.b, b, a)) for name in other if name not in one]
    rows = {}
    for name in (name for name in b if name in a):
        left, right = flat(a[name], name), flat(b[name], name)
        if left.shape != right.shape:
            problems.append(f"{name}: shapes {left.shape} and {right.shape}")
        elif left.size == 0 or not (np.isfinite(left).all() and np.isfinite(right).all()):
            problems.append(f"{name}: empty, or holds NaN or Inf")
        else:
            rows[name] = compare(left, right)
    if not rows:
        problems.append("no stage could be compared")
    if not args.allow_missing:
        problems += missing

    print(f"{'stage':<18}{'max abs':>12}{'rel':>12}{'NMSE':>12}")
    if args.table:
        shown = rows
    else:
        worst = {}
        for name, row in rows.items():
            kind = name.split(".")[0]
            worst[kind] = tuple(map(max, worst.get(kind, row), row))
        shown = worst
    for name, (largest, relative, nmse) in shown.items():
        print(f"{name:<18}{largest:12.3e}{relative:12.3e}{nmse:12.3e}")
    for line in problems + (missing if args.allow_missing else []):
        print(line)
    if problems:
        return 2
    return 1 if args.rel is not None and max(row[1] for row in rows.values()) > args.rel else 0


if __name__ == "__main__":
    sys.exit(main())
