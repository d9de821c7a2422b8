"""Several faults at once, drawn with a seed. They act at stages of their own, so that none hides another; a few share a stage."""
import random

from broken_qwen3 import Plan
from faults import FAULTS, at, ropes
from planting import N_PROMPT

# Generic descriptions name no cause; next to another fault there are several ways to say the same.
LEFT_OUT = {"output-scaled", "branch-scaled", "norm-scaled", "bias"}
SHARED = {
    ("rope-base", "position-offset"): [ropes(base=10000.0, offset=1)],
    ("rope-norm-for-neox", "rope-base"): [ropes(neox=False, base=10000.0)],
    ("norm-eps", "norm-weight-plus-one"): [at("attn_norm", lambda e, c: e.rms(c["x"], 1 + c["w"], 1e-5))],
    ("attention-scale", "gqa-interleaved"): [lambda e, s, c: {
        "attn_scores": lambda: e.score(c["q"], c["k"], 1.0, lambda h: h % e.n_head_kv),
        "attn_heads": lambda: e.blend(c["probs"], c["v"], lambda h: h % e.n_head_kv)}[s]() if s in ("attn_scores", "attn_heads") else None],
}


def stages_of(engine, tokens, entry):
    engine.run(tokens, N_PROMPT, [Plan([entry.fault], phase=entry.phases[0])])
    return {stage for stage, _ in engine.changed}


def drawn(engine, model, tokens, n):
    """Entries of disjoint stages, two and three in turn."""
    chosen = random.Random(f"{model} 7")
    usable = [e for e in FAULTS.values() if (not e.models or model in e.models) and e.name not in LEFT_OUT]
    touched = {}
    for i in range(n):
        stack, taken = [], set()
        while len(stack) < 2 + i % 2:
            title = chosen.randrange(len(usable))
            if title not in touched:
                touched[title] = stages_of(engine, tokens, usable[title])
            entry = usable[title]
            if touched[title] and not touched[title] & taken and entry.name not in {e.name for e in stack}:
                stack.append(entry)
                taken |= touched[title]
        yield stack


def stacks(engine, model, tokens, n):
    """(for each fault the names that are right, stages) of each stack."""
    for names, faults in SHARED.items():
        yield [{name} for name in names], engine.run(tokens, N_PROMPT, [Plan(faults)])
    for stack in drawn(engine, model, tokens, n):
        plans = [Plan([e.fault], phase=e.phases[0]) for e in stack]
        yield [{e.name, *e.accepted} for e in stack], engine.run(tokens, N_PROMPT, plans)
