#!/usr/bin/env python3
"""Writes a tiny random Qwen3 GGUF on which every known fault shows.

head_dim (128) is not n_embd / n_head (64), n_head_kv < n_head, norm weights are far from 1, one embedding row is so small
that eps decides its norm, one channel is massive from the second layer on, rows are multiples of 256 (K-quants apply).
"""
import argparse
import os
import struct
import sys

import numpy as np

N_EMBD, N_FF, N_HEAD, N_HEAD_KV, HEAD_DIM = 256, 512, 4, 2, 128
EPS, ROPE_BASE, CONTEXT = 1e-6, 1e6, 4096
TINY_TOKEN, MASSIVE_CHANNEL, MASSIVE_LAYER, MASSIVE_UNITS = 97, 11, 1, 32
TYPES = {"f32": 0, "f16": 1, "q8_0": 8}
U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
NORMAL, CONTROL = 1, 3  # token types

WORDS = ["he", "ll", "hell", "hello", "th", "the", "in", "ing", "an", "and", "er", "on", "re", "wo", "wor", "worl", "world"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_letters():
    """GPT-2's printable letter for every byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {**{byte: chr(byte) for byte in shown}, **{byte: chr(256 + i) for i, byte in enumerate(hidden)}}


def vocabulary():
    """(tokens, types, merges): bytes, a few words each made by one merge of two earlier tokens, special tokens."""
    tokens, merges = list(byte_letters().values()), []
    for word in WORDS:
        left = max((t for t in tokens if word.startswith(t) and word[len(t) :] in tokens), key=len)
        merges.append(f"{left} {word[len(left):]}")
        tokens.append(word)
    types = [NORMAL] * len(tokens) + [CONTROL] * len(SPECIAL)
    return tokens + SPECIAL, types, merges


def encode(values, kind):
    if kind == "f32":
        return values.astype("<f4").tobytes()
    if kind == "f16":
        return values.astype("<f2").tobytes()
    blocks = values.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
    scaled = blocks * inverse
    quants = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(np.int8)  # halves away from zero
    return np.concatenate([scale.astype("<f2").view(np.uint8), quants.view(np.uint8)], axis=1).tobytes()


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key, kind, value):
    packed = {U32: lambda v: struct.pack("<I", v), F32: lambda v: struct.pack("<f", v), STRING: text}[kind](value)
    return text(key) + struct.pack("<I", kind) + packed


def array_entry(key, kind, values):
    packed = [text(v) if kind == STRING else struct.pack("<i", v) for v in values]
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(packed)


def metadata(n_layer):
    tokens, types, merges = vocabulary()
    end = len(tokens) - len(SPECIAL)
    return [
        entry("general.architecture", STRING, "qwen3"),
        entry("general.name", STRING, "tiny random Qwen3"),
        entry("qwen3.block_count", U32, n_layer),
        entry("qwen3.context_length", U32, CONTEXT),
        entry("qwen3.embedding_length", U32, N_EMBD),
        entry("qwen3.feed_forward_length", U32, N_FF),
        entry("qwen3.attention.head_count", U32, N_HEAD),
        entry("qwen3.attention.head_count_kv", U32, N_HEAD_KV),
        entry("qwen3.attention.key_length", U32, HEAD_DIM),
        entry("qwen3.attention.value_length", U32, HEAD_DIM),
        entry("qwen3.attention.layer_norm_rms_epsilon", F32, EPS),
        entry("qwen3.rope.freq_base", F32, ROPE_BASE),
        entry("tokenizer.ggml.model", STRING, "gpt2"),
        entry("tokenizer.ggml.pre", STRING, "qwen2"),
        array_entry("tokenizer.ggml.tokens", STRING, tokens),
        array_entry("tokenizer.ggml.token_type", I32, types),
        array_entry("tokenizer.ggml.merges", STRING, merges),
        entry("tokenizer.ggml.eos_token_id", U32, end + 2),
        entry("tokenizer.ggml.padding_token_id", U32, end),
    ]


def weights(rng, n_layer, tied):
    """(name, F32 array [rows, width]); norms are vectors."""
    n_vocab = len(vocabulary()[0])
    matrix = lambda rows, width: (rng.standard_normal((rows, width)) / np.sqrt(width)).astype(np.float32)

    def norm(width):
        scale = rng.uniform(0.3, 2.0, width) * rng.choice([1, 1, 1, -1], width)
        if width == N_EMBD:
            scale[MASSIVE_CHANNEL] = 0.01  # as trained models do: the channel shrinks the others, and says little itself
        return scale.astype(np.float32)

    embedding = rng.standard_normal((n_vocab, N_EMBD)).astype(np.float32)
    embedding[TINY_TOKEN] *= np.float32(1e-3)  # mean(x^2) about 1e-6, as large as eps
    yield "token_embd.weight", embedding
    for layer in range(n_layer):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", norm(N_EMBD)
        yield block + "attn_q.weight", matrix(N_HEAD * HEAD_DIM, N_EMBD)
        yield block + "attn_k.weight", matrix(N_HEAD_KV * HEAD_DIM, N_EMBD)
        yield block + "attn_v.weight", matrix(N_HEAD_KV * HEAD_DIM, N_EMBD)
        yield block + "attn_q_norm.weight", norm(HEAD_DIM)
        yield block + "attn_k_norm.weight", norm(HEAD_DIM)
        yield block + "attn_output.weight", matrix(N_EMBD, N_HEAD * HEAD_DIM)
        yield block + "ffn_norm.weight", norm(N_EMBD)
        gate, up, down = matrix(N_FF, N_EMBD), matrix(N_FF, N_EMBD), matrix(N_EMBD, N_FF)
        if layer == MASSIVE_LAYER:
            up[:MASSIVE_UNITS] = gate[:MASSIVE_UNITS]  # silu(g) * g is never negative, so the sum has no cancellation
            down[MASSIVE_CHANNEL, :MASSIVE_UNITS] = 10
        yield block + "ffn_gate.weight", gate
        yield block + "ffn_up.weight", up
        yield block + "ffn_down.weight", down
    yield "output_norm.weight", norm(N_EMBD)
    if not tied:
        yield "output.weight", matrix(n_vocab, N_EMBD)


def rope_scaling(kind):
    """A context of 4 times the 256 positions the model would have been trained on."""
    entries = [entry("qwen3.rope.scaling.type", STRING, kind), entry("qwen3.rope.scaling.factor", F32, 4.0)]
    return entries + [entry("qwen3.rope.scaling.original_context_length", U32, 256)] if kind == "yarn" else entries


def write_model(path, kind, n_layer, tied, seed, scaling=None):
    entries = metadata(n_layer) + (rope_scaling(scaling) if scaling else [])
    descriptions, data = [], bytearray()
    for name, values in weights(np.random.default_rng(seed), n_layer, tied):
        tensor_kind = kind if values.ndim == 2 else "f32"
        shape = values.shape[::-1]
        descriptions.append(text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, TYPES[tensor_kind], len(data)))
        data += encode(values, tensor_kind)
        data += bytes(-len(data) % 32)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(descriptions), len(entries)) + b"".join(entries) + b"".join(descriptions)
    header += bytes(-len(header) % 32)
    with open(f"{path}.part", "wb") as file:
        file.write(header + data)
    os.replace(f"{path}.part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", help="GGUF file to write")
    parser.add_argument("--type", choices=TYPES, default="f32", help="type of the matrices; norms are F32")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--untied", action="store_true", help="an output matrix of its own instead of the embedding")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rope-scaling", choices=("linear", "yarn"))
    args = parser.parse_args()
    write_model(args.output, args.type, args.layers, not args.untied, args.seed, args.rope_scaling)


if __name__ == "__main__":
    sys.exit(main())
