"""As much of OpenAI's Python client as llama.cpp's tests use; Debian has no package of it."""
import json
from types import SimpleNamespace

import requests


def as_object(text):
    return json.loads(text, object_hook=lambda fields: Answer(**fields))


class Answer(SimpleNamespace):
    def __getattr__(self, name):
        return None  # what the server left out


class OpenAI:
    def __init__(self, api_key, base_url):
        self.headers, self.base = {"Authorization": f"Bearer {api_key}"}, base_url if base_url.endswith("/v1") else base_url + "/v1"
        self.completions, self.embeddings = self.route("/completions"), self.route("/embeddings")
        self.chat = SimpleNamespace(completions=self.route("/chat/completions"))

    def route(self, path):
        def create(model, stream=False, **fields):
            if path == "/chat/completions":  # their model does not think
                fields["chat_template_kwargs"] = {"enable_thinking": False}
            response = requests.post(self.base + path, json={**fields, "stream": stream}, headers=self.headers, stream=stream)
            assert response.status_code == 200, response.text
            return self.events(response) if stream else as_object(response.text)

        return SimpleNamespace(create=create)

    @staticmethod
    def events(response):
        for line in response.iter_lines():
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                yield as_object(line.removeprefix(b"data: "))
