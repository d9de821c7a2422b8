"""A Qwen3 in numpy that can be broken in every way that engines have been: what `kylin diagnose` is scored on.

Independent of Kylin's code: the right formulas are those of tests/golden/qwen3_numpy.py, the wrong ones are written here from the bug
reports. A plan says which fault acts in which layers and in which phase; the engine is fed its own wrong values, as a real one is.
"""
import os
import sys
from dataclasses import dataclass, field
from typing import Callable, Optional

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
from gguf_reader import TYPES
from qwen3_numpy import Qwen3


@dataclass
class Plan:
    """fault(engine, stage, context) -> value, or None where the stage stays right."""
    faults: list = field(default_factory=list)
    layers: Optional[set] = None  # None: all
    phase: str = "all"  # or prompt, decode


def is_changed(value, right):
    """Whether some row moved by more than F32 rounding moves it."""
    size = np.max(np.abs(right), axis=-1, keepdims=True)
    return not np.all(np.abs(value - right) <= 2.0**-20 * size)


class Broken(Qwen3):
    """Computes stage by stage; each stage's right formula may be replaced by a fault's."""

    def __init__(self, path, cache=None):
        super().__init__(path)
        self.cache = cache if cache is not None else {}
        self.n_embd = self.file.tensor("token_embd.weight").shape[1]
        self.scale = 1 / np.sqrt(float(self.head_dim))
        self.frequencies, self.magnitude = self.rope_rule()

    # RoPE as the file asks for it: radians per position of each pair, and the size of what is turned.
    def rope_rule(self, scaled=True, factored=True):
        half = self.head_dim // 2
        frequencies = self.rope_base ** (-2.0 * np.arange(half) / self.head_dim)
        if factored and "rope_freqs.weight" in self.file:
            frequencies = frequencies / self.weight("rope_freqs.weight")
        if not scaled or self.scaling == "none":
            return frequencies, 1.0
        if self.scaling != "yarn":
            raise ValueError(f"RoPE scaling {self.scaling} is not part of this suite")
        get = lambda key: self.file.metadata[f"qwen3.rope.scaling.{key}"]
        return self.yarn(get("factor"), get("original_context_length"), frequencies)

    # YaRN: slow pairs are interpolated, fast ones are not, and everything grows a little.
    def yarn(self, factor, original_context, frequencies=None):
        n, half = self.head_dim, self.head_dim // 2
        if frequencies is None:
            frequencies = self.rope_base ** (-2.0 * np.arange(half) / n)
        pair_of = lambda turns: n * np.log(original_context / (turns * 2 * np.pi)) / (2 * np.log(self.rope_base))
        low, high = max(0.0, np.floor(pair_of(32))), min(n - 1.0, np.ceil(pair_of(1)))
        kept = 1 - np.clip((np.arange(half) - low) / max(0.001, high - low), 0, 1)
        return frequencies / factor * (1 - kept) + frequencies * kept, 1 + 0.1 * np.log(factor)

    def weight(self, name):
        if name not in self.cache:
            self.cache[name] = self.file.tensor(name).astype(np.float64)
        return self.cache[name]

    def blocks(self, name):
        """(type id, bytes as [blocks, bytes], shape)"""
        shape, type_id, offset = self.file.tensors[name]
        _, block, n_bytes, _ = TYPES[type_id]
        begin = self.file.data + offset
        raw = np.array(self.file.bytes[begin : begin + int(np.prod(shape)) // block * n_bytes]).reshape(-1, n_bytes)
        return type_id, raw, shape[::-1]

    # The formulas, with what a fault may change as arguments.
    def rms(self, x, w, eps=None):
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + (self.eps if eps is None else eps)) * w

    def turn(self, x, base=None, offset=0, positions=None, neox=True, sign=1.0, n_dims=None, factor=1.0, magnitude=None, frequencies=None):
        magnitude = self.magnitude if magnitude is None else magnitude
        if frequencies is None and (base or n_dims):
            frequencies = (base or self.rope_base) ** (-2.0 * np.arange((n_dims or self.head_dim) // 2) / (n_dims or self.head_dim))
        elif frequencies is None:
            frequencies = self.frequencies / factor
        n_dims = n_dims or self.head_dim
        half = n_dims // 2
        where = np.arange(len(x)) + offset if positions is None else np.asarray(positions)
        angles = where[:, None, None] * frequencies
        cos, sin = np.cos(angles) * magnitude, np.sin(angles) * magnitude * sign
        y = x.copy()
        first, second = (slice(0, half), slice(half, n_dims)) if neox else (slice(0, n_dims, 2), slice(1, n_dims, 2))
        y[..., first] = x[..., first] * cos - x[..., second] * sin
        y[..., second] = x[..., first] * sin + x[..., second] * cos
        return y

    def causal(self, n):
        return np.tril(np.ones((n, n), bool))

    def score(self, q, k, scale=None, kv_of=None, visible=None, edit=None):
        group = self.n_head // self.n_head_kv
        of = [h // group if kv_of is None else kv_of(h) for h in range(self.n_head)]
        raw = np.einsum("thd,shd->hts", q, k[:, of])
        if edit:
            raw = edit(raw)
        return np.where(self.causal(len(q)) if visible is None else visible, raw * (self.scale if scale is None else scale), 0.0)

    def soften(self, scores, visible=None, zeros=None):
        n = scores.shape[-1]
        visible = self.causal(n) if visible is None else visible
        masked = np.where(visible, scores, -np.inf)
        top = masked.max(axis=-1, keepdims=True)
        if zeros is not None:
            top = np.maximum(top, 0)
        with np.errstate(invalid="ignore", over="ignore"):
            weights = np.exp(masked - top)
            total = weights.sum(axis=-1, keepdims=True)
            if zeros is not None:
                total = total + np.asarray(zeros)[None, :, None] * np.exp(-top)
            return np.where(visible, weights / total, 0.0)

    def blend(self, probs, v, kv_of=None):
        group = self.n_head // self.n_head_kv
        of = [h // group if kv_of is None else kv_of(h) for h in range(self.n_head)]
        v = v[:, of]
        y = np.einsum("hts,shd->thd", probs, np.nan_to_num(v, nan=0.0))
        # A value that is not seen is not read: 0 x NaN must not spoil a token that came before it.
        y[np.einsum("hts,shd->thd", probs != 0, np.isnan(v)) > 0] = np.nan
        return y

    def heads(self, y):
        return y.reshape(len(y), -1, self.head_dim)

    def run(self, tokens, n_prompt, plans):
        """stage name -> float64 array, rows flattened. self.changed then holds the (stage, layer) where a fault made a difference."""
        self.changed = []
        stages = {}
        decoded = np.arange(len(tokens)) >= n_prompt

        def make(name, layer, right, context=None):
            value = right
            for plan in plans:
                if layer is not None and plan.layers is not None and layer not in plan.layers:
                    continue
                for fault in plan.faults:
                    wrong = fault(self, name, dict(context or {}, right=value, layer=layer, tokens=tokens, n_prompt=n_prompt))
                    if wrong is None:
                        continue
                    wrong = np.asarray(wrong).reshape(value.shape)
                    if plan.phase == "all":
                        value = wrong
                        continue
                    rows = decoded if plan.phase == "decode" else ~decoded
                    axis = rows[None, :, None] if name in ("attn_scores", "attn_probs") else rows.reshape((-1,) + (1,) * (value.ndim - 1))
                    value = np.where(axis, wrong, value)
            if is_changed(value, right):
                self.changed.append((name, layer))
            key = name if layer is None else f"{name}.{layer}"
            stages[key] = value if name in ("attn_scores", "attn_probs") else value.reshape(len(tokens), -1)
            return value

        x = make("embedding", None, self.weight("token_embd.weight")[tokens])
        for layer in range(self.n_layer):
            block = f"blk.{layer}."
            w = lambda name: self.weight(block + name + ".weight")
            h = make("attn_norm", layer, self.rms(x, w("attn_norm")), {"x": x, "w": w("attn_norm")})
            c = {"x": h, "hidden": x}
            q = self.heads(make("q_proj", layer, h @ w("attn_q").T, dict(c, w="attn_q")))
            k = self.heads(make("k_proj", layer, h @ w("attn_k").T, dict(c, w="attn_k")))
            v = self.heads(make("v_proj", layer, h @ w("attn_v").T, dict(c, w="attn_v")))
            qp, kp = q, k
            q = make("q_norm", layer, self.rms(q, w("attn_q_norm")), {"x": q, "w": w("attn_q_norm")})
            k = make("k_norm", layer, self.rms(k, w("attn_k_norm")), {"x": k, "w": w("attn_k_norm")})
            qn, kn = q, k
            q = make("q_rope", layer, self.turn(q), {"x": q, "proj": qp})
            k = make("k_rope", layer, self.turn(k), {"x": k, "proj": kp})
            c = {"q": q, "k": k, "v": v, "q_norm": qn, "k_norm": kn}
            scores = make("attn_scores", layer, self.score(q, k), c)
            probs = make("attn_probs", layer, self.soften(scores), dict(c, scores=scores))
            attended = make("attn_heads", layer, self.blend(probs, v), dict(c, scores=scores, probs=probs)).reshape(len(tokens), -1)
            out = make("attn_out", layer, attended @ w("attn_output").T, {"x": attended, "w": "attn_output"})
            residual = make("attn_residual", layer, x + out, {"a": x, "b": out, "norm": h})
            h = make("ffn_norm", layer, self.rms(residual, w("ffn_norm")), {"x": residual, "w": w("ffn_norm")})
            gate = make("ffn_gate", layer, h @ w("ffn_gate").T, {"x": h, "w": "ffn_gate", "hidden": residual})
            up = make("ffn_up", layer, h @ w("ffn_up").T, {"x": h, "w": "ffn_up", "hidden": residual})
            act = make("ffn_act", layer, gate / (1 + np.exp(-gate)) * up, {"gate": gate, "up": up})
            down = make("ffn_down", layer, act @ w("ffn_down").T, {"x": act, "w": "ffn_down"})
            x = make("layer_out", layer, residual + down, {"a": residual, "b": down, "input": x, "norm": h})
        final = make("final_norm", None, self.rms(x, self.weight("output_norm.weight")), {"x": x, "w": self.weight("output_norm.weight")})
        output = "output.weight" if "output.weight" in self.file else "token_embd.weight"
        make("logits", None, final @ self.weight(output).T, {"x": final, "w": output, "hidden": x})
        return stages
