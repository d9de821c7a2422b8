# Writes a checkpoint as GGUF v3: matrices in F16, norms in F32, with the tokenizer and the chat template.
#
#   file   := "GGUF" version:u32 n_tensor:u64 n_key:u64 key* info* padding data
#   key    := name:string type:u32 value          string := length:u64 bytes
#   info   := name:string n_dim:u32 dim:u64* type:u32 offset:u64        dims: the fastest first
import argparse
import os
import pathlib
import struct

import torch

from bpe import CONTROL, SPECIAL, Tokenizer
from model import Qwen3, Shape

ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TENSOR_F32, TENSOR_F16 = 0, 1
NORMAL_TOKEN, CONTROL_TOKEN, USER_DEFINED_TOKEN = 1, 3, 4
TEMPLATE = pathlib.Path(__file__).with_name("chat_template.jinja")


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


SCALAR = {
    U32: lambda v: struct.pack("<I", v),
    I32: lambda v: struct.pack("<i", v),
    F32: lambda v: struct.pack("<f", v),
    BOOL: lambda v: struct.pack("<?", v),
    STRING: string,
}


def key(name, kind, value):
    if isinstance(value, list):
        head = struct.pack("<IIQ", ARRAY, kind, len(value))
        return string(name) + head + b"".join(map(SCALAR[kind], value))
    return string(name) + struct.pack("<I", kind) + SCALAR[kind](value)


def model_keys(shape):
    return [
        ("general.architecture", STRING, "qwen3"),
        ("general.type", STRING, "model"),
        ("general.name", STRING, "Kylin Demo"),
        ("general.description", STRING, "A tiny model of a made-up little world, trained on text that a script wrote."),
        ("general.size_label", STRING, "6M"),
        ("general.license", STRING, "mit"),
        ("general.languages", STRING, ["en", "zh"]),
        ("qwen3.block_count", U32, shape.n_layer),
        ("qwen3.context_length", U32, shape.n_ctx),
        ("qwen3.embedding_length", U32, shape.n_embd),
        ("qwen3.feed_forward_length", U32, shape.n_ff),
        ("qwen3.attention.head_count", U32, shape.n_head),
        ("qwen3.attention.head_count_kv", U32, shape.n_head_kv),
        ("qwen3.rope.freq_base", F32, shape.rope_base),
        ("qwen3.attention.layer_norm_rms_epsilon", F32, shape.rms_eps),
        ("qwen3.attention.key_length", U32, shape.head_dim),
        ("qwen3.attention.value_length", U32, shape.head_dim),
        ("general.file_type", U32, 1),
        ("general.quantization_version", U32, 2),
    ]


def tokenizer_keys(tokenizer):
    kinds = {token: CONTROL_TOKEN if token in CONTROL else USER_DEFINED_TOKEN for token in SPECIAL}
    return [
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.pre", STRING, "qwen2"),
        ("tokenizer.ggml.tokens", STRING, tokenizer.tokens),
        ("tokenizer.ggml.token_type", I32, [kinds.get(token, NORMAL_TOKEN) for token in tokenizer.tokens]),
        ("tokenizer.ggml.merges", STRING, [f"{a} {b}" for a, b in tokenizer.merges]),
        ("tokenizer.ggml.eos_token_id", U32, tokenizer.id_of["<|im_end|>"]),
        ("tokenizer.ggml.padding_token_id", U32, tokenizer.id_of["<|endoftext|>"]),
        ("tokenizer.ggml.bos_token_id", U32, tokenizer.id_of["<|endoftext|>"]),
        ("tokenizer.ggml.add_bos_token", BOOL, False),
        ("tokenizer.chat_template", STRING, TEMPLATE.read_text(encoding="utf-8").rstrip("\n")),
    ]


def tensor_bytes(value):
    """Matrices in F16 (rounded to nearest even), vectors in F32; both little-endian."""
    if value.dim() == 2:
        return TENSOR_F16, value.half().numpy().astype("<f2").tobytes()
    return TENSOR_F32, value.float().numpy().astype("<f4").tobytes()


def padding(length):
    return b"\0" * (-length % ALIGNMENT)


def gguf(keys, tensors):
    infos, data = [], b""
    for name, value in tensors.items():
        kind, raw = tensor_bytes(value)
        dims = list(reversed(value.shape))
        infos.append(string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(data)))
        data += raw + padding(len(raw))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(key(*fields) for fields in keys) + b"".join(infos)
    return head + padding(len(head)) + data


def write_atomically(path, raw):
    with open(path + ".part", "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description="Write a checkpoint of train.py as GGUF.")
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    args = parser.parse_args()
    state = torch.load(args.checkpoint, map_location="cpu")
    shape = Shape(n_layer=state["n_layer"])
    model = Qwen3(shape)
    model.load_state_dict(state["model"])
    raw = gguf(model_keys(shape) + tokenizer_keys(Tokenizer(state["merges"])), model.state_dict())
    write_atomically(args.output, raw)
    print(f"{args.output}: {len(raw)} bytes, step {state['step']}")


if __name__ == "__main__":
    main()
