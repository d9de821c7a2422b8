"""Traces as safetensors: u64 header length, JSON header, row-major data. Written and read with numpy alone."""
import json
import os
import struct

import numpy as np

DTYPES = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write(path, tensors, metadata):
    """tensors: name -> array; metadata: name -> string."""
    header, offset = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    unfinished = f"{path}.part"
    with open(unfinished, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())
    os.replace(unfinished, path)


def read(path):
    """(tensors as stored, metadata)"""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    begin = 8 + int(data[:8].view("<u8")[0])
    header = json.loads(data[8:begin].tobytes())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        tensors[name] = np.array(data[begin + first : begin + last]).view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata
