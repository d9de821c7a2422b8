"""Writes the seeds that the fuzz targets start from: write_seeds.py FOLDER makes FOLDER/TARGET/NAME."""
import json
import pathlib
import shutil
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
U32, F32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
CHATML = (HERE.parent / "text/data/qwen3_style.jinja").read_bytes()


def text(t):
    return struct.pack("<Q", len(t)) + t.encode()


def gguf():
    """One entry of every kind, two tensors."""
    entries = [
        text("general.alignment") + struct.pack("<II", U32, 32),
        text("general.name") + struct.pack("<I", STRING) + text("small"),
        text("tokens") + struct.pack("<IIQ", ARRAY, STRING, 2) + text("a") + text("bc"),
        text("scores") + struct.pack("<IIQ3f", ARRAY, F32, 3, 1, 2, 3),
        text("flag") + struct.pack("<IB", BOOL, 1),
    ]
    tensors = [
        text("a.weight") + struct.pack("<IQQIQ", 2, 32, 2, 8, 0),  # Q8_0: 2 rows of 34 bytes
        text("b.weight") + struct.pack("<IQIQ", 1, 4, 0, 96),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries + tensors)
    yield "small", head + bytes(-len(head) % 32) + bytes(range(112))
    yield "nothing", b"GGUF" + struct.pack("<IQQ", 3, 0, 0)


def safetensors():
    metadata = {"format": "kylin.trace/1", "tokens": "[1, 2]", "n_prompt": "1", "engine": "e", "rows.logits": "[1]"}
    tensors = {"embedding": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
               "q_rope.0": {"dtype": "F16", "shape": [2, 1, 2], "data_offsets": [16, 24]},
               "logits": {"dtype": "F64", "shape": [1, 2], "data_offsets": [24, 40]}}
    header = json.dumps({"__metadata__": metadata, **tensors}).encode()
    yield "trace", struct.pack("<Q", len(header)) + header + bytes(range(40))


def tokenizer():
    yield "sound", b""
    yield "changed", struct.pack("<BHB", 24, 0, 9) + struct.pack("<BHB", 200, 4, 255)


def text_seeds():
    for name, t in {"words": "abcde dede  a\n\nab 123 it's", "special": "<t>ab<user>c<|im_end|>", "signs": "e\u0301 \u4f60\u597d \U0001f600 \u00e9",
                    "broken": "\udcff\udcc3a\udce2\udc82"}.items():
        yield name, b"\x03" + t.encode(errors="surrogateescape")


def chat_template():
    yield "chatml", CHATML
    for name, t in {
            "loop": "{% for m in messages %}{{ bos_token ~ m.role | upper }}: {{ m['content'] | trim }}{{ loop.index0 }}{% endfor %}",
            "macro": "{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f(tools | tojson) }}{% set a = namespace(b=1) %}{% set a.b = v %}{{ a.b }}",
            "parts": "{% if messages[1].content.split('<think>')[0].startswith(v) and not x is defined %}{{ v[::-1] }}{% else %}{{ v | length }}{% endif %}",
            "error": "{{ raise_exception('no ' ~ v) }}"}.items():
        yield name, t.encode()


def framing():
    for name, t in {"get": "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
                    "post": "POST /generate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                    "both": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "chunks": "5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"}.items():
        yield name, b"\x02\x07" + t.encode()


def request():
    bodies = {
        "generate": (0, {"prompt": "Hello", "max_tokens": 50, "temperature": 0.0, "stop": ["a"], "seed": 1, "logit_bias": {"7": -100}}),
        "completions": (1, {"prompt": [[1, 2], [3]], "logprobs": 3, "n": 2, "stream": True, "stream_options": {"include_usage": True}}),
        "chat": (2, {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema", "json_schema": {
            "name": "s", "schema": {"type": "object", "properties": {"a": {"enum": [1]}}, "required": ["a"]}}}}),
        "tools": (2, {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}], "tool_choice": "auto", "top_p": 0.5,
                      "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}),
        "embeddings": (3, {"input": ["a", "b"], "encoding_format": "base64", "dimensions": 2}),
    }
    for name, (api, body) in bodies.items():
        yield name, bytes([api]) + json.dumps(body).encode()


def kernels():
    for name, pattern in {"zeros": b"\0", "ones": b"\xff", "mixed": bytes(range(0, 256, 7)), "nan": b"\0\x7e", "infinity": b"\0\x7c\x7f\x80"}.items():
        for i in range(3):
            yield f"{name}{i}", bytes([5 * i + len(name), i, 30 * i, 120 * i]) + pattern


SEEDS = {"gguf": gguf, "safetensors": safetensors, "tokenizer": tokenizer, "text": text_seeds, "chat_template": chat_template,
         "framing": framing, "request": request, "kernels": kernels}

folder = pathlib.Path(sys.argv[1])
for target, seeds in SEEDS.items():
    (folder / target).mkdir(parents=True, exist_ok=True)
    for name, content in seeds():
        (folder / target / name).write_bytes(content)
shutil.copytree(HERE / "corpus/grammar", folder / "grammar", dirs_exist_ok=True)  # JSON schemas
