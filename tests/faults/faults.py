"""The faults that are planted, written from the bug reports and not from Kylin's catalogue: what acts at which stage, what it must be called.

Each entry: the name that Kylin should give, the first stage that shows it, the parameters to recover, where it can act, and the fault itself.
"""
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

EVERY = ("all", "prompt", "decode")
F16 = lambda x: np.asarray(x).astype(np.float32).astype(np.float16).astype(np.float64)


@dataclass
class Entry:
    name: str
    stage: str
    fault: Callable
    parameters: dict = field(default_factory=dict)
    phases: tuple = EVERY
    models: tuple = ()  # empty: every one
    accepted: tuple = ()  # other names that say the same


def at(stages, change):
    stages = stages.split()
    return lambda engine, stage, c: change(engine, c) if stage in stages else None


def per_stage(**changes):
    return lambda engine, stage, c: changes[stage](engine, c) if stage in changes else None


def norm(change):
    return lambda stages: at(stages, change)


def tensor(engine, c, name):
    return engine.weight(name if name.startswith(("output", "token")) else f"blk.{c['layer']}.{name}.weight")


def own(engine, c):
    return engine.weight(c["w"]) if c["layer"] is None else tensor(engine, c, c["w"])


def product(change):
    """change(engine, c) -> the matrix that is used"""
    return lambda stages: at(stages, lambda e, c: c["x"] @ change(e, c).T)


def attention(**how):
    """Scores, probabilities and heads with another rule; each of the three from what the engine has."""
    visible = how.get("visible")
    kv_of = how.get("kv_of")

    def scores(e, c):
        return e.score(c["q"], c["k"], how["scale"](e) if "scale" in how else None, kv_of and kv_of(e), visible and visible(e, c), how.get("edit"))

    def probs(e, c):
        return e.soften(c["scores"], visible and visible(e, c), how["zeros"](len(c["tokens"])) if "zeros" in how else None)

    def heads(e, c):
        return e.blend(c["probs"], c["v"], kv_of and kv_of(e))

    parts = {}
    if how.keys() & {"scale", "kv_of", "visible", "edit"}:
        parts["attn_scores"] = scores
    if how.keys() & {"visible", "zeros"}:
        parts["attn_probs"] = probs
    if "kv_of" in how:
        parts["attn_heads"] = heads
    return per_stage(**parts)


def mask(rule):
    """rule(query, key, n_prompt) -> whether it is seen. Steps are kept: the prompt cannot see what is decoded later."""

    def visible(e, c):
        n = len(c["tokens"])
        q, k = np.arange(n)[:, None], np.arange(n)[None, :]
        there = np.where(q < c["n_prompt"], k < c["n_prompt"], k <= q)
        return rule(q, k, c["n_prompt"]) & there

    return attention(visible=visible)


def ropes(**how):
    return at("q_rope k_rope", lambda e, c: e.turn(c["x"], **{key: value(e, c) if callable(value) else value for key, value in how.items()}))


def sequential_f16(e, c):
    x, w = F16(c["x"]).astype(np.float16), own(e, c)
    products = (c["x"][:, None, :] * w[None, :, :])
    products = F16(products)
    total = np.zeros(products.shape[:2])
    for i in range(products.shape[2]):
        total = F16(total + products[:, :, i])
    return F16(total)


def unpack_q4_k(raw, scales_of):
    """Blocks of 144 bytes -> [n, 256], with scales and minima as scales_of(the 12 bytes) says."""
    d = raw[:, 0:2].copy().view("<f2").astype(np.float64)
    m = raw[:, 2:4].copy().view("<f2").astype(np.float64)
    scales, minima = scales_of(raw[:, 4:16].astype(int))
    quants = raw[:, 16:].reshape(-1, 4, 32)
    quants = np.stack([quants & 15, quants >> 4], axis=2).reshape(-1, 8, 32).astype(np.float64)
    return (d[:, :, None] * scales[:, :, None] * quants - m[:, :, None] * minima[:, :, None]).reshape(len(raw), 256)


def low_bits(p):
    return np.concatenate([p[:, 0:4] & 63, p[:, 8:12] & 15], 1), np.concatenate([p[:, 4:8] & 63, p[:, 8:12] >> 4], 1)


def plain(p):
    return np.concatenate([p[:, 0:4] & 63, p[:, 4:8] & 63], 1), np.concatenate([p[:, 4:8] & 63, p[:, 8:12] & 63], 1)


def transposed(e, c):
    w = own(e, c)
    return np.ascontiguousarray(w).reshape(w.shape[1], w.shape[0]).T


def head_rows(order):
    def matrix(e, c):
        w = own(e, c)
        heads = w.reshape(-1, e.head_dim, w.shape[1])
        return heads[:, order(e.head_dim)].reshape(w.shape)

    return product(matrix)


def fused(order):
    def matrix(e, c):
        parts = {p: tensor(e, c, f"attn_{p}") for p in "qkv"}
        whole = np.concatenate([parts[p] for p in order])
        sizes = {p: len(parts[p]) for p in "qkv"}
        first = {"q": 0, "k": sizes["q"], "v": sizes["q"] + sizes["k"]}
        p = c["w"][-1]
        return whole[first[p] : first[p] + sizes[p]]

    return product(matrix)


def without_lane(lanes, lane):
    def apply(e, c):
        w = own(e, c).copy()
        w[:, lane::lanes] = 0
        return w

    return product(apply)


def without_tail(n):
    def apply(e, c):
        w = own(e, c).copy()
        w[:, -n:] = 0
        return w

    return product(apply)


def other_layer(e, c):
    other = (c["layer"] + 1) % e.n_layer
    return e.weight(f"blk.{other}.{c['w']}.weight")


def bias(e, c):
    return c["right"] + np.random.default_rng(5).standard_normal(c["right"].shape[-1])


def v_layout(e, c):
    """The V cache of a head, written [keys, dims], is read as [dims, keys]; each step has its own number of keys."""
    y = np.zeros_like(c["right"])
    n, group = len(c["tokens"]), e.n_head // e.n_head_kv
    for t in range(n):
        keys = c["n_prompt"] if t < c["n_prompt"] else t + 1
        for h in range(e.n_head):
            wrong = c["v"][:keys, h // group].reshape(e.head_dim, keys).T
            y[t, h] = c["probs"][h, t, :keys] @ wrong
    return y


def early_values(e, c):
    v = c["v"][np.maximum(np.arange(len(c["v"])) - 1, 0)]
    return e.blend(c["probs"], v)


def interleaved(e, c):
    return c["right"].transpose(0, 2, 1).reshape(len(c["right"]), -1)


def layer_norm(e, c):
    return e.rms(c["x"] - c["x"].mean(axis=-1, keepdims=True), c["w"])


def yarn(factor):
    return at("q_rope k_rope", lambda e, c: (lambda rule: e.turn(c["x"], frequencies=rule[0], magnitude=rule[1]))(e.yarn(factor, context(e))))


def rope_rule(**how):
    """As the file asks for it, but for its scaling or its factors."""
    return at("q_rope k_rope", lambda e, c: (lambda rule: e.turn(c["x"], frequencies=rule[0], magnitude=rule[1]))(e.rope_rule(**how)))


def blocks_as(kind, unpack):
    """The matrix of blocks of this type, unpacked in another way; other matrices as they are."""

    def matrix(e, c):
        name = f"blk.{c['layer']}.{c['w']}.weight"
        type_id, raw, shape = e.blocks(name)
        return unpack(raw).reshape(shape) if type_id == kind else own(e, c)

    return product(matrix)


def k_scales(p):
    low, middle, high = p[:, 0:4], p[:, 4:8], p[:, 8:12]
    return np.concatenate([low & 63, (high & 15) | (low >> 6) << 4], 1), np.concatenate([middle & 63, (high >> 4) | (middle >> 6) << 4], 1)


def exchanged_nibbles(p):
    low, middle, high = p[:, 0:4], p[:, 4:8], p[:, 8:12]
    return np.concatenate([low & 63, (high >> 4) | (low >> 6) << 4], 1), np.concatenate([middle & 63, (high & 15) | (middle >> 6) << 4], 1)


def q4_k_without_minimum(raw):
    no_minimum = raw.copy()
    no_minimum[:, 2:4] = 0
    return unpack_q4_k(no_minimum, k_scales)


def q4_k_neighbours(raw):
    """Each byte's two nibbles side by side, 32 values from every 16 bytes."""
    d, m = (raw[:, i : i + 2].copy().view("<f2").astype(np.float64) for i in (0, 2))
    scales, minima = k_scales(raw[:, 4:16].astype(int))
    quants = np.stack([raw[:, 16:] & 15, raw[:, 16:] >> 4], axis=2).reshape(-1, 8, 32).astype(np.float64)
    return (d[:, :, None] * scales[:, :, None] * quants - m[:, :, None] * minima[:, :, None]).reshape(len(raw), 256)


def q6_k(offset=32, signed=True, high_bits=True):
    def unpack(raw):
        low = raw[:, :128].reshape(-1, 2, 2, 32)
        low = np.concatenate([low & 15, low >> 4], axis=2).astype(np.float64)
        high = (raw[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6]).reshape(1, 1, 4, 1) & 3).astype(np.float64)
        quants = low + (16 * high if high_bits else 0) - offset
        scales = raw[:, 192:208].view(np.int8 if signed else np.uint8).astype(np.float64)
        d = raw[:, 208:210].copy().view("<f2").astype(np.float64)
        return d * (quants.reshape(-1, 16, 16) * scales[:, :, None]).reshape(-1, 256)

    return unpack


def q4_0(offset=8, neighbours=False):
    def unpack(raw):
        nibbles = [raw[:, 2:] & 15, raw[:, 2:] >> 4]
        quants = np.stack(nibbles, axis=2).reshape(-1, 32) if neighbours else np.concatenate(nibbles, axis=1)
        return raw[:, :2].copy().view("<f2").astype(np.float64) * (quants.astype(np.float64) - offset)

    return unpack


def half_as_bfloat(raw):
    return (np.ascontiguousarray(raw).view("<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def sum_norm(e, c):
    return c["x"] / np.sqrt(np.sum(c["x"] ** 2, axis=-1, keepdims=True) + e.eps) * c["w"]


def eps_outside(e, c):
    return c["x"] / (np.sqrt(np.mean(c["x"] ** 2, axis=-1, keepdims=True)) + e.eps) * c["w"]


def stale_key(e, c):
    """A decoded token finds the key of the one before it in its own place."""
    scores = c["right"].copy()
    before = e.score(c["q"], np.roll(c["k"], 1, axis=0))
    for t in range(1, scores.shape[1]):
        scores[:, t, t] = before[:, t, t]
    return scores


def half_attention(e, c):
    return e.blend(F16(c["probs"]), F16(c["v"]))


def nan_padding(e, c):
    """A cell of the cache that nothing was written to holds a NaN, and the mask adds to it instead of replacing it."""
    n = c["right"].shape[-1]
    visible = e.causal(n)
    return np.where(visible, np.nan, 0.0) + 0 * c["right"]


def gelu(x):
    from math import erf

    return 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


silu = lambda x: x / (1 + np.exp(-x))
NORMS = "attn_norm q_norm k_norm ffn_norm"
context = lambda e: e.file.metadata["qwen3.context_length"]
pad = lambda m: lambda n: np.ceil(np.arange(1, n + 1) / m) * m - np.arange(1, n + 1)

FAULTS = {
    # RoPE
    "rope NORM": Entry("rope-norm-for-neox", "q_rope", ropes(neox=False)),
    "rope base 10000": Entry("rope-base", "q_rope", ropes(base=10000.0), {"base": 10000.0}),
    "rope base 5e5": Entry("rope-base", "q_rope", ropes(base=5e5), {"base": 5e5}),
    "rope linear 4": Entry("rope-linear-scaling", "q_rope", ropes(factor=4.0), {"factor": 4.0}),
    "rope YaRN 4": Entry("rope-yarn", "q_rope", yarn(4.0), {"factor": 4.0}),
    "rope mscale": Entry("rope-magnitude", "q_rope", ropes(magnitude=1 + 0.1 * np.log(4)), {"scale": 1 + 0.1 * np.log(4)}),
    "rope factors ignored": Entry("rope-factors-ignored", "q_rope", rope_rule(factored=False), models=("scaled",)),
    "rope scaling ignored": Entry("rope-scaling-ignored", "q_rope", rope_rule(scaled=False), models=("scaled",)),
    "YaRN mscale omitted": Entry("rope-magnitude", "q_rope", ropes(magnitude=1.0), {"scale": 1 / (1 + 0.1 * np.log(4))}, models=("scaled",)),
    "YaRN mscale twice": Entry("rope-magnitude", "q_rope", ropes(magnitude=(1 + 0.1 * np.log(4)) ** 2), {"scale": 1 + 0.1 * np.log(4)}, models=("scaled",)),
    "rope missing": Entry("rope-missing", "q_rope", at("q_rope k_rope", lambda e, c: c["x"])),
    "rope inverse": Entry("rope-inverse", "q_rope", ropes(sign=-1.0)),
    "partial rotary": Entry("rope-partial", "q_rope", ropes(n_dims=lambda e, c: e.head_dim // 2), {}),
    "rope dimension n_embd/n_head": Entry("rope-wrong-dimension", "q_rope",
        ropes(frequencies=lambda e, c: e.rope_base ** (-2.0 * np.arange(e.head_dim // 2) / (e.n_embd // e.n_head))), {}, accepted=("rope-base",)),
    "position +1": Entry("position-offset", "q_rope", ropes(offset=1), {"offset": 1}),
    "position -1": Entry("position-offset", "q_rope", ropes(offset=-1), {"offset": -1}),
    "key position +1": Entry("position-offset", "k_rope", at("k_rope", lambda e, c: e.turn(c["x"], offset=1)), {"offset": 1}),
    "positions per chunk of 4": Entry("position-restarts", "q_rope", ropes(positions=lambda e, c: np.arange(len(c["tokens"])) % 4), {"chunk": 4}, ("all",)),
    "decode from 0": Entry("decode-position-restarts", "q_rope",
        ropes(positions=lambda e, c: np.where(np.arange(len(c["tokens"])) < c["n_prompt"], np.arange(len(c["tokens"])), np.arange(len(c["tokens"])) - c["n_prompt"])),
        {}, ("decode",), accepted=("position-offset", "position-restarts")),
    "decode stuck": Entry("decode-position-stuck", "q_rope", ropes(positions=lambda e, c: np.minimum(np.arange(len(c["tokens"])), c["n_prompt"])), {}, ("decode",)),
    # Norms
    "eps 1e-5": Entry("norm-eps", "attn_norm", at(NORMS + " final_norm", lambda e, c: e.rms(c["x"], c["w"], 1e-5)), {"eps": 1e-5}),
    "eps 3e-6 in attn_norm": Entry("norm-eps", "attn_norm", at("attn_norm", lambda e, c: e.rms(c["x"], c["w"], 3e-6)), {"eps": 3e-6}),
    "Q/K norm missing": Entry("norm-missing", "q_norm", at("q_norm k_norm", lambda e, c: c["x"])),
    "1 + w": Entry("norm-weight-plus-one", "attn_norm", at(NORMS, lambda e, c: e.rms(c["x"], 1 + c["w"]))),
    "w - 1": Entry("norm-weight-minus-one", "ffn_norm", at("ffn_norm", lambda e, c: e.rms(c["x"], c["w"] - 1))),
    "norm weight missing": Entry("norm-weight-missing", "attn_norm", at("attn_norm", lambda e, c: e.rms(c["x"], 1.0))),
    "LayerNorm": Entry("layer-norm", "attn_norm", at(NORMS, layer_norm)),
    "whole-row Q/K norm": Entry("head-norm-whole-row", "q_norm", at("q_norm k_norm",
        lambda e, c: c["x"] / np.sqrt(np.mean(c["x"] ** 2, axis=(1, 2), keepdims=True) + e.eps) * c["w"])),
    "norm after RoPE": Entry("norm-after-rope", "q_norm", per_stage(
        q_norm=lambda e, c: e.rms(e.turn(c["x"]), c["w"]), k_norm=lambda e, c: e.rms(e.turn(c["x"]), c["w"]),
        q_rope=lambda e, c: e.turn(c["proj"]), k_rope=lambda e, c: e.turn(c["proj"]),
        attn_scores=lambda e, c: e.score(c["q_norm"], c["k_norm"])), {}, ("all",)),
    "LayerNorm Scaling": Entry("layernorm-scaling", "attn_norm", at("attn_norm ffn_norm", lambda e, c: c["right"] / np.sqrt(c["layer"] + 1)), {}, EVERY),
    "sum for mean": Entry("norm-sum-for-mean", "ffn_norm", at("ffn_norm", sum_norm)),
    "eps outside the root": Entry("norm-eps-outside", "attn_norm", at("attn_norm", eps_outside)),
    "norm of the next layer": Entry("wrong-norm-tensor", "attn_norm", at("attn_norm",
        lambda e, c: e.rms(c["x"], e.weight(f"blk.{(c['layer'] + 1) % e.n_layer}.attn_norm.weight")))),
    "norm times 1.7": Entry("norm-scaled", "ffn_norm", at("ffn_norm", lambda e, c: 1.7 * c["right"]), {"scale": 1.7}),
    # Attention
    "scale missing": Entry("attention-scale", "attn_scores", attention(scale=lambda e: 1.0), {"scale": 1.0}),
    "scale twice": Entry("attention-scale", "attn_scores", attention(scale=lambda e: 1.0 / e.head_dim)),
    "scale 1/sqrt(64)": Entry("attention-scale", "attn_scores", attention(scale=lambda e: 1 / np.sqrt(e.head_dim / 2)), {}),
    "GQA tile": Entry("gqa-interleaved", "attn_scores", attention(kv_of=lambda e: lambda h: h % e.n_head_kv)),
    "one KV head": Entry("kv-head-first-only", "attn_scores", attention(kv_of=lambda e: lambda h: 0)),
    "KV heads reversed": Entry("kv-heads-reversed", "attn_scores", attention(kv_of=lambda e: lambda h: e.n_head_kv - 1 - h * e.n_head_kv // e.n_head)),
    "mask sees the next": Entry("mask-sees-next", "attn_scores", mask(lambda q, k, n: k <= q + 1), {}, ("all", "prompt")),
    "mask hides self": Entry("mask-hides-self", "attn_scores", mask(lambda q, k, n: (k < q) | ((q == 0) & (k == 0)))),
    "no mask": Entry("mask-missing", "attn_scores", mask(lambda q, k, n: k < 10**9), {}, ("all", "prompt")),
    "prefill lost": Entry("prefill-lost", "attn_scores", mask(lambda q, k, n: q == k)),
    "prompt forgotten": Entry("prompt-forgotten", "attn_scores", mask(lambda q, k, n: (k <= q) & ((q < n) | (k >= n))), {}, ("all",)),
    "sliding window 4": Entry("sliding-window", "attn_scores", mask(lambda q, k, n: (k <= q) & (q - k < 4)), {"window": 4}),
    "softcap 20": Entry("softcap", "attn_scores", per_stage(attn_scores=lambda e, c: 20 * np.tanh(c["right"] / 20)), {"cap": 20.0}),
    "padding in the soft max": Entry("softmax-padding", "attn_probs", attention(zeros=pad(32)), {"multiple": 32}),
    "softmax off by one": Entry("softmax-off-by-one", "attn_probs", attention(zeros=lambda n: np.ones(n))),
    "NaN in the padding": Entry("softmax-padding-nan", "attn_probs", at("attn_probs", nan_padding)),
    "soft max missing": Entry("softmax-missing", "attn_probs", at("attn_probs", lambda e, c: c["scores"])),
    "stale key": Entry("decode-key-stale", "attn_scores", at("attn_scores", stale_key), {}, ("decode",)),
    "F16 keys and values": Entry("kv-f16-undeclared", "attn_scores", per_stage(
        attn_scores=lambda e, c: e.score(c["q"], F16(c["k"])), attn_heads=lambda e, c: e.blend(c["probs"], F16(c["v"])))),
    "F16 attention": Entry("attention-f16-undeclared", "attn_scores", per_stage(
        attn_scores=lambda e, c: e.score(F16(c["q"]), F16(c["k"])), attn_heads=half_attention)),
    "F16 overflow of KQ": Entry("kq-f16-overflow", "attn_scores", attention(edit=F16)),
    "V cache layout": Entry("v-cache-layout", "attn_heads", at("attn_heads", v_layout)),
    "values one early": Entry("kv-slot-off-by-one", "attn_heads", at("attn_heads", early_values)),
    "heads interleaved": Entry("heads-interleaved", "attn_heads", at("attn_heads", interleaved)),
    "keys without RoPE": Entry("keys-cached-before-rope", "attn_scores", at("attn_scores", lambda e, c: e.score(c["q"], c["k_norm"]))),
    "RoPE not used": Entry("rope-not-used", "attn_scores", at("attn_scores", lambda e, c: e.score(c["q_norm"], c["k_norm"]))),
    # Projections and weights
    "QKV bias": Entry("bias", "q_proj", at("q_proj k_proj v_proj", bias)),
    "V transposed": Entry("weight-transposed", "v_proj", product(transposed)("v_proj")),
    "ffn_down transposed": Entry("weight-transposed", "ffn_down", product(transposed)("ffn_down")),
    "K of the next layer": Entry("wrong-tensor", "k_proj", product(other_layer)("k_proj")),
    "up for gate": Entry("wrong-tensor", "ffn_gate", product(lambda e, c: tensor(e, c, "ffn_up"))("ffn_gate")),
    "Q/K unpermuted": Entry("qk-weights-unpermuted", "q_proj",
        head_rows(lambda n: np.arange(n).reshape(2, n // 2).T.reshape(-1))("q_proj k_proj")),
    "Q/K permuted": Entry("qk-weights-permuted", "q_proj", head_rows(lambda n: np.arange(n).reshape(n // 2, 2).T.reshape(-1))("q_proj k_proj")),
    "fused K, Q, V": Entry("fused-order-kqv", "q_proj", fused("kqv")("q_proj k_proj v_proj")),
    "K and V exchanged": Entry("fused-order-qvk", "k_proj", fused("qvk")("k_proj v_proj"), accepted=("wrong-tensor",)),
    "lane 3 of 8 lost": Entry("simd-lane-lost", "ffn_up", without_lane(8, 3)("ffn_up"), {"lanes": 8, "lane": 3}),
    "tail of 16 lost": Entry("tail-lost", "attn_out", without_tail(16)("attn_out"), {"n": 16}),
    "F16 accumulators": Entry("f16-accumulators", "k_proj", at("k_proj", sequential_f16)),
    "Q4_K scales, low bits": Entry("q4_k-scales-low-bits", "q_proj", blocks_as(12, lambda raw: unpack_q4_k(raw, low_bits))("q_proj k_proj v_proj"), models=("q4_k_m",)),
    "Q4_K scales, plain": Entry("q4_k-scales-plain", "q_proj", blocks_as(12, lambda raw: unpack_q4_k(raw, plain))("q_proj k_proj v_proj"), models=("q4_k_m",)),
    "Q4_K scale nibbles": Entry("q4_k-scales-nibbles", "q_proj", blocks_as(12, lambda raw: unpack_q4_k(raw, exchanged_nibbles))("q_proj k_proj v_proj"), models=("q4_k_m",)),
    "Q4_K nibble order": Entry("q4_k-nibble-order", "q_proj", blocks_as(12, q4_k_neighbours)("q_proj k_proj v_proj"), models=("q4_k_m",)),
    "Q4_K no minimum": Entry("q4_k-minimum-missing", "ffn_gate", blocks_as(12, q4_k_without_minimum)("ffn_gate ffn_up"), models=("q4_k_m",)),
    "Q6_K no offset": Entry("q6_k-offset-missing", "v_proj", blocks_as(14, q6_k(offset=0))("v_proj"), models=("q4_k_m",)),
    "Q6_K unsigned scales": Entry("q6_k-scales-unsigned", "v_proj", blocks_as(14, q6_k(signed=False))("v_proj"), models=("q4_k_m",)),
    "Q6_K no high bits": Entry("q6_k-high-bits-missing", "v_proj", blocks_as(14, q6_k(high_bits=False))("v_proj"), models=("q4_k_m",)),
    "Q4_0 nibble order": Entry("q4_0-nibble-order", "q_proj", blocks_as(2, q4_0(neighbours=True))("q_proj k_proj v_proj"), models=("q4_0",)),
    "Q4_0 no offset": Entry("q4_0-offset-missing", "q_proj", blocks_as(2, q4_0(offset=0))("q_proj k_proj v_proj"), models=("q4_0",)),
    "F16 read as BF16": Entry("f16-bf16-mixed-up", "q_proj", blocks_as(1, half_as_bfloat)("q_proj k_proj v_proj"), models=("demo",)),
    "fused V, K, Q": Entry("fused-order-vkq", "q_proj", fused("vkq")("q_proj k_proj v_proj")),
    "F16 inputs": Entry("inputs-rounded-undeclared", "ffn_gate", at("ffn_gate ffn_up", lambda e, c: F16(c["x"]) @ own(e, c).T), {"form": "F16"}),
    "norm left out of V": Entry("norm-skipped-by-input", "v_proj", at("v_proj", lambda e, c: c["hidden"] @ own(e, c).T)),
    # Feed-forward, residuals, ends
    "gate/up swapped": Entry("gate-up-swapped", "ffn_act", at("ffn_act", lambda e, c: silu(c["up"]) * c["gate"])),
    "GELU": Entry("gelu-for-silu", "ffn_act", at("ffn_act", lambda e, c: gelu(c["gate"]) * c["up"])),
    "GELU tanh": Entry("gelu-tanh-for-silu", "ffn_act", at("ffn_act", lambda e, c: gelu_tanh(c["gate"]) * c["up"])),
    "ReLU": Entry("relu-for-silu", "ffn_act", at("ffn_act", lambda e, c: np.maximum(c["gate"], 0) * c["up"])),
    "quick GELU": Entry("gelu-quick-for-silu", "ffn_act", at("ffn_act", lambda e, c: c["gate"] / (1 + np.exp(-1.702 * c["gate"])) * c["up"])),
    "sigmoid": Entry("sigmoid-for-silu", "ffn_act", at("ffn_act", lambda e, c: c["up"] / (1 + np.exp(-c["gate"])))),
    "no activation": Entry("activation-missing", "ffn_act", at("ffn_act", lambda e, c: c["gate"] * c["up"])),
    "no up": Entry("up-missing", "ffn_act", at("ffn_act", lambda e, c: silu(c["gate"]))),
    "no branch": Entry("branch-missing", "attn_residual", at("attn_residual", lambda e, c: c["a"])),
    "branch twice": Entry("branch-doubled", "layer_out", at("layer_out", lambda e, c: c["a"] + 2 * c["b"])),
    "no residual": Entry("residual-missing", "attn_residual", at("attn_residual", lambda e, c: c["b"])),
    "residual twice": Entry("residual-doubled", "layer_out", at("layer_out", lambda e, c: 2 * c["a"] + c["b"])),
    "residual after the norm": Entry("residual-after-norm", "attn_residual", at("attn_residual", lambda e, c: c["norm"] + c["b"])),
    "layer skipped": Entry("layer-skipped", "layer_out", at("layer_out", lambda e, c: c["input"])),
    "attention's residual lost": Entry("residual-of-layer-input", "layer_out", at("layer_out", lambda e, c: c["input"] + c["b"])),
    "massive activation clamped": Entry("activation-clamped", "layer_out", at("layer_out", lambda e, c: np.clip(c["right"], -3, 3)), {"limit": 3.0}),
    "branch times 0.5": Entry("branch-scaled", "layer_out", at("layer_out", lambda e, c: c["a"] + 0.5 * c["b"]), {"scale": 0.5}),
    "embedding scaled": Entry("embedding-scale", "embedding", at("embedding", lambda e, c: c["right"] * np.sqrt(e.n_embd)), {}),
    "other tokens": Entry("other-tokens", "embedding", at("embedding", lambda e, c: e.weight("token_embd.weight")[np.roll(c["tokens"], 1)]), {}),
    "logits scaled": Entry("output-scaled", "logits", at("logits", lambda e, c: c["right"] * 0.25), {"scale": 0.25}),
    "logits capped": Entry("softcap-of-logits", "logits", at("logits", lambda e, c: 30 * np.tanh(c["right"] / 30)), {"cap": 30.0}),
    "embedding for the head": Entry("wrong-tensor", "logits", product(lambda e, c: e.weight("token_embd.weight"))("logits"), models=("random", "q4_k_m")),
    "final norm missing": Entry("norm-missing", "final_norm", at("final_norm", lambda e, c: c["x"])),
    "head before the norm": Entry("norm-skipped-by-input", "logits", at("logits", lambda e, c: c["hidden"] @ own(e, c).T)),
}
ONCE = ("embedding", "final_norm", "logits")
