"""Reads a GGUF file with numpy alone, to check Kylin from outside: nothing here comes from Kylin's own reader.

header = "GGUF", version u32 (2 or 3), n_tensors u64, n_metadata u64, metadata, tensor descriptions, padding, data
"""
import struct

import numpy as np

SCALARS = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"}
STRING, ARRAY = 8, 9


def f16(blocks, first, last):
    """The F16 field at bytes [first, last) of every block, as F32 [n_blocks, n]."""
    return np.ascontiguousarray(blocks[:, first:last]).view("<f2").astype(np.float32)


def nibbles(quants):
    """Low nibbles, then high nibbles."""
    return np.concatenate([quants & 15, quants >> 4], axis=-1).astype(np.float32)


def decode_f32(blocks):
    return blocks.view("<f4")


def decode_f16(blocks):
    return f16(blocks, 0, 2)


def decode_bf16(blocks):
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def decode_q4_0(blocks):
    return (nibbles(blocks[:, 2:]) - np.float32(8)) * f16(blocks, 0, 2)


IQ4_NL_VALUES = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)


def decode_iq4_nl(blocks):
    return IQ4_NL_VALUES[nibbles(blocks[:, 2:]).astype(np.uint8)] * f16(blocks, 0, 2)


def decode_q4_1(blocks):
    return nibbles(blocks[:, 4:]) * f16(blocks, 0, 2) + f16(blocks, 2, 4)


def fifth_bits(blocks, first):
    """32 bits as one 16 or 0 per value."""
    return np.unpackbits(blocks[:, first : first + 4], axis=1, bitorder="little").astype(np.float32) * np.float32(16)


def decode_q5_0(blocks):
    return (nibbles(blocks[:, 6:]) + fifth_bits(blocks, 2) - np.float32(16)) * f16(blocks, 0, 2)


def decode_q5_1(blocks):
    return (nibbles(blocks[:, 8:]) + fifth_bits(blocks, 4)) * f16(blocks, 0, 2) + f16(blocks, 2, 4)


def decode_q8_0(blocks):
    return blocks[:, 2:].view(np.int8).astype(np.float32) * f16(blocks, 0, 2)


def k_scales(packed):
    """The 8 six-bit scales and 8 six-bit minima in the 12 bytes of a Q4_K or Q5_K block."""
    low, middle, high = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = np.concatenate([low & 63, (high & 15) | (low >> 6) << 4], axis=1)
    minima = np.concatenate([middle & 63, (high >> 4) | (middle >> 6) << 4], axis=1)
    return scales.astype(np.float32), minima.astype(np.float32)


def scale_k(blocks, quants):
    """d * scale * q - dmin * minimum, each product and the difference rounded to F32; quants: [n, 8, 32]."""
    scales, minima = k_scales(blocks[:, 4:16])
    d, m = f16(blocks, 0, 2) * scales, f16(blocks, 2, 4) * minima
    return (d[:, :, None] * quants - m[:, :, None]).reshape(len(blocks), 256)


def decode_q4_k(blocks):
    return scale_k(blocks, nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32))


def decode_q5_k(blocks):
    fifth = (blocks[:, 16:48, None] >> np.arange(8, dtype=np.uint8) & 1).transpose(0, 2, 1).astype(np.float32)
    return scale_k(blocks, nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32) + fifth * np.float32(16))


def decode_q6_k(blocks):
    low = blocks[:, :128].reshape(-1, 2, 2, 32)  # halves of 128 values, pairs of 32 bytes
    low = np.concatenate([low & 15, low >> 4], axis=2)  # [n, 2, 4, 32]
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1) & 3
    quants = (low | high << 4).reshape(-1, 16, 16).astype(np.float32) - np.float32(32)
    scales = blocks[:, 192:208].view(np.int8).astype(np.float32) * f16(blocks, 208, 210)
    return (scales[:, :, None] * quants).reshape(-1, 256)


# id: name, values per block, bytes per block, decoder
TYPES = {
    0: ("f32", 1, 4, decode_f32),
    1: ("f16", 1, 2, decode_f16),
    2: ("q4_0", 32, 18, decode_q4_0),
    3: ("q4_1", 32, 20, decode_q4_1),
    6: ("q5_0", 32, 22, decode_q5_0),
    7: ("q5_1", 32, 24, decode_q5_1),
    8: ("q8_0", 32, 34, decode_q8_0),
    12: ("q4_k", 256, 144, decode_q4_k),
    13: ("q5_k", 256, 176, decode_q5_k),
    14: ("q6_k", 256, 210, decode_q6_k),
    20: ("iq4_nl", 32, 18, decode_iq4_nl),
    30: ("bf16", 1, 2, decode_bf16),
}
DECODERS = {name: (n_bytes, decode) for name, _, n_bytes, decode in TYPES.values()}


class Gguf:
    """metadata: key -> value. Tensors are decoded when asked for, as F32 [rows, width]."""

    def __init__(self, path):
        self.bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self.at = 0
        if self.take(4).tobytes() != b"GGUF" or self.number("<u4") not in (2, 3):
            raise ValueError(f"{path}: not a GGUF file of version 2 or 3")
        n_tensors, n_metadata = self.number("<u8"), self.number("<u8")
        self.metadata = {self.string(): self.value(self.number("<u4")) for _ in range(n_metadata)}
        self.tensors = dict(self.description() for _ in range(n_tensors))
        alignment = self.metadata.get("general.alignment", 32)
        self.data = -(-self.at // alignment) * alignment

    def take(self, n):
        part = self.bytes[self.at : self.at + n]
        self.at += n
        return part

    def number(self, dtype):
        return self.take(np.dtype(dtype).itemsize).view(dtype)[0].item()

    def string(self):
        return self.take(self.number("<u8")).tobytes().decode("utf-8", "surrogateescape")

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.number(SCALARS[kind])
        item, n = self.number("<u4"), self.number("<u8")
        if item in (STRING, ARRAY):
            return [self.value(item) for _ in range(n)]
        dtype = np.dtype(SCALARS[item])
        return self.take(n * dtype.itemsize).view(dtype).tolist()

    def description(self):
        name = self.string()
        shape = [self.number("<u8") for _ in range(self.number("<u4"))]
        return name, (shape, self.number("<u4"), self.number("<u8"))

    def __contains__(self, name):
        return name in self.tensors

    def tensor(self, name):
        shape, type_id, offset = self.tensors[name]
        _, block, n_bytes, decode = TYPES[type_id]
        n = int(np.prod(shape))
        begin = self.data + offset
        blocks = np.array(self.bytes[begin : begin + n // block * n_bytes]).reshape(-1, n_bytes)
        return decode(blocks).reshape(shape[::-1])
