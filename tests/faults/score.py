#!/usr/bin/env python3
"""Plants every fault, asks `kylin diagnose` for its name, and counts. Fails when a goal is missed.

Engines: a numpy Qwen3 that shares no code with Kylin; with --adapter also llama.cpp, right and told wrong metadata.
"""
import argparse
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from broken_qwen3 import Broken, Plan
from faults import FAULTS, ONCE
from planting import N_PROMPT, ROOT, diagnose, make_model, tokens_of
from reference_runs import score_clean, score_overrides
from score_table import QUESTIONS, markdown
from stacks import stacks

MODELS = ("demo", "random", "q4_k_m", "q4_0", "scaled")
COMMON = 3  # of these models every fault is planted in; in the others those that need them
LEAST_NAMED = 0.95


def cases(entry, n_layer, fast):
    """(layers, phase)"""
    if entry.stage in ONCE:
        places = [None]
    elif fast:
        places = [{n_layer // 2}]
    else:
        places = [None, {0}, {n_layer // 2}, {n_layer - 1}]
    for layers in places:
        for phase in entry.phases[:1] if fast else entry.phases:
            yield layers, phase


def judge(entry, changed, found):
    """What of the four was right."""
    faults = found["faults"]
    names = [f["name"] for f in faults]
    first = faults[0] if faults else None
    recovered = {**{d["name"]: d["text"] for d in first["parameter_details"]}, **first["parameters"]} if first else {}
    same = lambda seen, value: seen == value if isinstance(value, str) else isinstance(seen, (int, float)) and abs(seen - value) <= 1e-4 * abs(value)
    return {
        "detected": bool(faults),
        "located": first is not None and (first["stage"], first["layer"]) == changed[0],
        "named": first is not None and set(names) <= {entry.name, *entry.accepted},
        "parameters": all(same(recovered.get(name), value) for name, value in entry.parameters.items()),
        "names": names,
        "equivalent": [e["name"] for f in faults for e in f["equivalent"]],
        "said": found["sentence"][:300],
    }


def plant(args, folder):
    """One row for each fault, model, place and phase."""
    for number, model in enumerate(args.models):
        path = make_model(args.kylin, folder, model)
        engine, tokens, pending = Broken(path), tokens_of(model), []
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for title, entry in FAULTS.items():
                if not re.search(args.faults, title) or (model not in entry.models if entry.models else number >= COMMON):
                    continue
                for layers, phase in cases(entry, engine.n_layer, args.fast):
                    stages = engine.run(tokens, N_PROMPT, [Plan([entry.fault], layers, phase)])
                    if not engine.changed:  # the fault is none here: LayerNorm Scaling of layer 0
                        continue
                    where = {"model": model, "fault": title, "layers": sorted(layers) if layers else "all", "phase": phase}
                    pending.append((entry, engine.changed, where, pool.submit(diagnose, args.kylin, path, stages, tokens, folder)))
            for entry, changed, where, future in pending:
                yield {**where, **judge(entry, changed, future.result())}


def plant_stacks(args, folder):
    for model in args.models[:COMMON]:
        path, tokens = make_model(args.kylin, folder, model), tokens_of(model)
        for planted, stages in stacks(Broken(path), model, tokens, args.stacks):
            found = diagnose(args.kylin, path, stages, tokens, folder)
            seen = {f["name"] for f in found["faults"]}
            yield {"model": model, "planted": [min(names) for names in planted], "names": sorted(seen), "said": found["sentence"][:500],
                   "all_named": all(names & seen for names in planted) and seen <= set().union(*planted)}


def unplanted(kylin):
    listing = subprocess.run([kylin, "diagnose", "--catalogue"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[0] for line in listing.splitlines()} - {entry.name for entry in FAULTS.values()}


def show(row, right):
    if not right:
        print(json.dumps(row), flush=True)
    return row


def score(args):
    results = {"faults": [], "stacks": [], "clean": [], "overrides": []}
    with tempfile.TemporaryDirectory() as folder:
        for row in plant(args, folder):
            results["faults"].append(show(row, all(row[q] for q in QUESTIONS)))
        if args.stacks:
            results["stacks"] = [show(row, row["all_named"]) for row in plant_stacks(args, folder)]
        if args.adapter:
            results["overrides"] = [show(row, all(row[q] for q in QUESTIONS)) for row in score_overrides(args.kylin, args.adapter, folder, args.models[1:2])]
            results["clean"] = [show(row, not row["names"]) for row in score_clean(args.kylin, args.adapter, folder, args.clean)]
    return results


def goals(results):
    """What was missed of what is asked for."""
    planted = results["faults"] + results["overrides"]
    share = {q: sum(row[q] for row in planted) / len(planted) for q in QUESTIONS}
    for q in QUESTIONS:
        print(f"{q}: {sum(row[q] for row in planted)} of {len(planted)}")
    print(f"stacks, all named: {sum(row['all_named'] for row in results['stacks'])} of {len(results['stacks'])}")
    print(f"clean runs, something named: {sum(bool(row['names']) for row in results['clean'])} of {len(results['clean'])}")
    missed = [f"not every fault was {q}" for q in ("detected", "located") if share[q] < 1]
    missed += [f"{share['named']:.1%} named"] if share["named"] < LEAST_NAMED else []
    missed += ["a stack was not named"] if any(not row["all_named"] for row in results["stacks"]) else []
    return missed + (["a clean run was blamed"] if any(row["names"] for row in results["clean"]) else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kylin", default=str(ROOT / "build/release/bin/kylin"))
    parser.add_argument("--adapter", help="kylin-reference-llamacpp")
    parser.add_argument("--models", default=",".join(MODELS), type=lambda text: text.split(","))
    parser.add_argument("--faults", default=".", help="regular expression of titles")
    parser.add_argument("--fast", action="store_true", help="the middle layer and one phase alone")
    parser.add_argument("--stacks", type=int, default=0, help="stacks of two and three faults for each model")
    parser.add_argument("--clean", type=int, default=200, help="clean runs of llama.cpp")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path, help="rewrite the tables of this page")
    args = parser.parse_args()
    missed = [f"never planted: {name}" for name in sorted(unplanted(args.kylin))]
    results = score(args)
    missed += goals(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    if args.markdown:
        args.markdown.write_text(markdown(args.markdown.read_text(), results))
    for line in missed:
        print(f"goal missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
