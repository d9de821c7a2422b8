"""Stands in for the module of the same name in llama.cpp's tests of its server: starts kylin serve, and says in Kylin's words what the
tests ask in llama.cpp's own. What OpenAI's API has goes through unchanged, but for the name of the model, which llama.cpp ignores."""
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import *  # the tests take these names from here
from typing import Any

import requests

servers = []  # that run

PATHS = {f"/{name}": f"/v1/{name}" for name in ("chat/completions", "completions", "models", "embeddings")}


class ServerResponse:
    def __init__(self, response, body):
        self.headers, self.status_code, self.body = dict(response.headers), response.status_code, body


class ServerError(Exception):
    def __init__(self, code, body):
        super().__init__(f"status {code}: {body}")
        self.code, self.body = code, body


def to_generate(body):
    """llama.cpp's /completion continues a text, as /generate does where the prompt is raw."""
    names = {"n_predict": "max_tokens"}
    left_out = ("stream", "cache_prompt", "return_tokens")
    return {"raw": True, **{names.get(name, name): value for name, value in body.items() if name not in left_out}}


def from_generate(body):
    return {"content": body["text"], "tokens": body["tokens"]} if "text" in body else body


# llama.cpp's own routes: Kylin's, and how to say the request and the answer.
TRANSLATED = {
    **dict.fromkeys(("/completion", "/completions"), ("/generate", to_generate, from_generate)),
    "/tokenize": ("/encode", lambda b: {"text": b["content"]}, lambda b: b),
    "/detokenize": ("/decode", lambda b: {"tokens": b["tokens"]}, lambda b: {"content": b["text"]}),
    "/slots": ("/slots", lambda b: b, lambda b: [{"is_processing": i < b["running"]} for i in range(b["parallel"])]),
}


class ServerProcess:
    def __init__(self, name):
        self.model_alias = name
        self.server_host, self.server_port = "127.0.0.1", 0
        self.n_ctx, self.n_slots, self.n_batch, self.n_predict, self.api_key = 512, 2, 32, 64, None
        self.temperature, self.seed = 0.8, 42
        self.process = None

    def start(self, timeout_seconds=60):
        command = [os.environ["KYLIN"], "serve", "--port", "0", "--name", self.model_alias, "--parallel", self.n_slots, "-c",
                   self.n_ctx // self.n_slots, "--ubatch", self.n_batch, "--cors-origin", "*", "--quiet", "-t", "2"]
        if self.api_key:
            command += ["--api-key", self.api_key]
        self.process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
        servers.append(self)
        for line in self.process.stderr:
            if found := re.search(r"listens on http://127\.0\.0\.1:(\d+)", line):
                self.server_port = int(found[1])
                return
        raise RuntimeError("the server does not say where it listens")

    def stop(self):
        if self in servers:
            servers.remove(self)
            self.process.terminate()
            self.process.communicate(timeout=20)
            assert self.process.returncode == 0

    def ask(self, method, path, data=None, headers=None, **more):
        if method == "POST" and isinstance(data, dict):
            data = {name: value for name, value in data.items() if name != "model"}
            if path.rsplit("/", 1)[-1] in ("completion", "completions"):  # what its command line would set
                defaults = {"temperature": self.temperature, "seed": self.seed, "max_tokens": self.n_predict}
                if "n_predict" in data:
                    del defaults["max_tokens"]
                data = {**defaults, **data}
            if path.endswith("/chat/completions"):  # their model does not think
                data = {"chat_template_kwargs": {"enable_thinking": False}, **data}
        url = f"http://{self.server_host}:{self.server_port}{PATHS.get(path, path)}"
        return requests.request(method, url, json=data, headers=headers, **more)

    def make_request(self, method, path, data=None, headers=None, timeout=60, host=None):
        answered = lambda body: body
        if path in TRANSLATED and (method != "OPTIONS"):
            path, asked, answered = TRANSLATED[path]
            data = asked({"temperature": self.temperature, "seed": self.seed, "max_tokens": self.n_predict, **data}) if path == "/generate" else asked(data)
        response = self.ask(method, path, data, headers, timeout=timeout)
        try:
            body = response.json()
        except requests.exceptions.JSONDecodeError:
            body = response.text
        return ServerResponse(response, answered(body) if response.status_code == 200 and body else body)

    def make_stream_request(self, method, path, data=None, headers=None, host=None):
        answered = lambda body: body
        if path in TRANSLATED:
            _, asked, answered = TRANSLATED[path]
            path, data = "/generate_stream", asked({"temperature": self.temperature, "seed": self.seed, **data})
        response = self.ask(method, path, data, headers, stream=True)
        if response.status_code != 200:
            raise ServerError(response.status_code, response.json())
        for line in response.iter_lines():
            text = line.decode()
            if text == "data: [DONE]":
                return
            if text.startswith("data: "):
                event = json.loads(text.removeprefix("data: "))
                yield {"content": "", **answered(event)} if path == "/generate_stream" else event


class ServerPreset:
    """Every model of llama.cpp's is the demo model here."""
    tinyllama2 = staticmethod(lambda: ServerProcess("tinyllama-2"))
    bert_bge_small = staticmethod(lambda: ServerProcess("bert-bge-small"))
    bert_bge_small_with_fa = staticmethod(lambda: ServerProcess("bert-bge-small"))
    router = staticmethod(lambda: ServerProcess("router"))


def parallel_function_calls(calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(function, *arguments) for function, arguments in calls]
        return [call.result() if call.exception() is None else None for call in running]


def match_regex(expression, text):
    return re.search(expression, text) is not None
