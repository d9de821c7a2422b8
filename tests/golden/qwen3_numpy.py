#!/usr/bin/env python3
"""Qwen3 in numpy float64, straight from the paper: what every stage must be, without Kylin's code and without rounding.

Weights and parameters are the file's own values (blocks decoded to F32); from there on everything is float64.
"""
import argparse
import json
import sys

import numpy as np

import safetensors_io
from gguf_reader import Gguf


class Qwen3:
    def __init__(self, path):
        self.file = Gguf(path)
        meta = self.file.metadata
        architecture = meta["general.architecture"]
        if architecture != "qwen3":
            raise ValueError(f"{path}: architecture {architecture}, expected qwen3")
        get = lambda key, default=None: meta.get(f"qwen3.{key}", default)
        self.n_layer = get("block_count")
        self.n_head = get("attention.head_count")
        self.n_head_kv = get("attention.head_count_kv", self.n_head)
        self.head_dim = get("attention.key_length", get("embedding_length") // self.n_head)
        self.eps = get("attention.layer_norm_rms_epsilon")
        self.rope_base = get("rope.freq_base", 10000.0)
        self.scaling = get("rope.scaling.type", "none")

    def weight(self, name):
        return self.file.tensor(name).astype(np.float64)

    def project(self, x, name):
        return x @ self.weight(name).T

    def norm(self, x, name):
        """x: [..., width]"""
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.eps) * self.weight(name)

    def rope(self, x):
        """x: [n_tokens, heads, head_dim]; pairs (i, i + head_dim/2) turn by position * base^(-2i/head_dim)."""
        if self.scaling != "none":
            raise ValueError("RoPE scaling is not part of this check")
        half = self.head_dim // 2
        frequencies = self.rope_base ** (-2.0 * np.arange(half) / self.head_dim)
        angles = np.arange(len(x))[:, None, None] * frequencies
        first, second = x[..., :half], x[..., half:]
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)

    def attention(self, q, k, v):
        """q: [n_tokens, n_head, head_dim], k and v: [n_tokens, n_head_kv, head_dim]. Hidden keys score and weigh 0."""
        group = self.n_head // self.n_head_kv
        k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
        visible = np.tril(np.ones((len(q), len(q)), bool))
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(float(self.head_dim))
        exponents = np.where(visible, scores, -np.inf)
        weights = np.exp(exponents - exponents.max(axis=-1, keepdims=True))
        probs = weights / weights.sum(axis=-1, keepdims=True)
        return np.where(visible, scores, 0.0), probs, np.einsum("hts,shd->thd", probs, v)

    def layer(self, x, index):
        """Yields (stage, value) in order; the last is the layer's output."""
        block = f"blk.{index}."
        project = lambda h, name: self.project(h, f"{block}{name}.weight")
        heads = lambda y: y.reshape(len(y), -1, self.head_dim)

        h = self.norm(x, block + "attn_norm.weight")
        yield "attn_norm", h
        q, k, v = project(h, "attn_q"), project(h, "attn_k"), project(h, "attn_v")
        yield "q_proj", q
        yield "k_proj", k
        yield "v_proj", v
        q, k = self.norm(heads(q), block + "attn_q_norm.weight"), self.norm(heads(k), block + "attn_k_norm.weight")
        yield "q_norm", q
        yield "k_norm", k
        q, k = self.rope(q), self.rope(k)
        yield "q_rope", q
        yield "k_rope", k
        scores, probs, attended = self.attention(q, k, heads(v))
        yield "attn_scores", scores
        yield "attn_probs", probs
        yield "attn_heads", attended
        out = project(attended.reshape(len(x), -1), "attn_output")
        yield "attn_out", out
        x = x + out
        yield "attn_residual", x
        h = self.norm(x, block + "ffn_norm.weight")
        yield "ffn_norm", h
        gate, up = project(h, "ffn_gate"), project(h, "ffn_up")
        yield "ffn_gate", gate
        yield "ffn_up", up
        h = gate / (1.0 + np.exp(-gate)) * up
        yield "ffn_act", h
        h = project(h, "ffn_down")
        yield "ffn_down", h
        yield "layer_out", x + h

    def trace(self, tokens):
        """stage name -> float64 array, rows flattened to [n_tokens, width], scores [n_head, n_tokens, n_tokens]."""
        embeddings = self.file.tensor("token_embd.weight")
        x = embeddings[tokens].astype(np.float64)
        stages = {"embedding": x}
        for index in range(self.n_layer):
            for stage, value in self.layer(x, index):
                stages[f"{stage}.{index}"] = value if stage in ("attn_scores", "attn_probs") else value.reshape(len(tokens), -1)
            x = stages[f"layer_out.{index}"]
        stages["final_norm"] = self.norm(x, "output_norm.weight")
        output = "output.weight" if "output.weight" in self.file else "token_embd.weight"
        stages["logits"] = self.project(stages["final_norm"], output)
        return stages


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="GGUF file, architecture qwen3")
    parser.add_argument("--tokens", required=True, help="token ids: 1,2,3")
    parser.add_argument("--output", required=True, help="trace file to write (safetensors, F64)")
    args = parser.parse_args()
    tokens = [int(item) for item in args.tokens.split(",")]
    metadata = {"format": "kylin.trace/1", "engine": "numpy", "numerics": "float64", "tokens": json.dumps(tokens), "n_prompt": str(len(tokens))}
    safetensors_io.write(args.output, Qwen3(args.model).trace(tokens), metadata)


if __name__ == "__main__":
    sys.exit(main())
