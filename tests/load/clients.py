"""The clients of a load: honest ones, whose answers count and are timed, and hostile ones."""
import asyncio
import json
import random
import socket
import struct
import time
from dataclasses import dataclass, field

from http_stream import Refused, read_head

PATH = "/v1/completions"


def make_body(number, n_prompt, n_answer, **more):
    """Token ids, so that the prompt has this length for every model: single bytes in every vocabulary of bytes. No two begin alike."""
    draw = random.Random(number)
    prompt = [draw.randrange(10, 250) for _ in range(n_prompt)]
    return {"prompt": prompt, "max_tokens": n_answer, "temperature": 0.9 * (number % 2), "seed": number, "ignore_eos": True,
            "stream": True, "stream_options": {"include_usage": True}, **more}


@dataclass
class Answer:
    text: str = ""
    n_prompt: int = 0
    n_answer: int = 0
    first: float = 0.0  # seconds from the request to the first text
    gaps: list = field(default_factory=list)  # between two events with text, as they reach the client
    n_refused: int = 0  # 429, tried again
    error: str = ""


async def honest(server, body, pause=0.0):
    """Asks until it is let in. A slow reader waits `pause` seconds after each piece, and has a small buffer."""
    answer, begun = Answer(), time.monotonic()
    data = json.dumps(body).encode()
    while True:
        try:
            await read_answer(server.stream("POST", PATH, data, pause=pause, receive_buffer=4096 if pause else None), answer, begun)
            return answer
        except Refused as refused:
            if refused.status != 429:
                answer.error = str(refused)
                return answer
            answer.n_refused += 1
            await asyncio.sleep(refused.retry_after * random.uniform(0.5, 1.5))
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            answer.error = f"{type(error).__name__}: {error}"
            return answer


async def read_answer(pieces, answer, begun):
    rest, last, done, finished = b"", None, False, False
    async for piece in pieces:
        now = time.monotonic()
        *events, rest = (rest + piece).split(b"\n\n")
        for data in (e.removeprefix(b"data: ") for e in events if e.startswith(b"data: ")):
            if data == b"[DONE]":
                done = True
                continue
            event = json.loads(data)
            if "error" in event:
                raise ValueError(f"event {event['error']}")
            for choice in event.get("choices", []):
                finished = finished or choice.get("finish_reason") is not None
                if not choice.get("text"):
                    continue
                answer.text += choice["text"]
                if last is None:
                    answer.first = now - begun
                else:
                    answer.gaps.append(now - last)
                last = now
            if event.get("usage"):
                answer.n_prompt, answer.n_answer = event["usage"]["prompt_tokens"], event["usage"]["completion_tokens"]
    if not (done and finished):
        raise ValueError("the stream ended in the middle")


# What is no request, and may get 400 to 505 or a closed connection; never an answer.
GET = b"GET /health HTTP/1.1\r\n"
POST = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
MALFORMED = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    GET + b"Host: a\r\nHost: b\r\n\r\n",
    GET + b"Host : a\r\n\r\n",
    GET + b"Host: localhost\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    *(POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in (
        b"{", b"[]", b"null", b"", b'{"prompt": 5}', b'{"prompt": "a", "prompt": "b"}', b'{"prompt": "\xff"}', b'{"prompt": "a"} x',
        b'{"prompt": "a", "temperature": 1e400}', b'{"prompt": "a", "max_tokens": -1}', b'{"prompt": [99999999]}', b"[" * 9000)),
]


async def malformed(server, draw):
    """The status it got; 0 for a closed connection."""
    reader, writer = await server.connect()
    try:
        writer.write(draw.choice(MALFORMED))
        writer.write_eof()
        status, _ = await read_head(reader)
        return status
    except (Refused, OSError):
        return 0
    finally:
        writer.close()


ABORTS = ["in the head", "in the body", "waiting", "in the stream", "never reads"]


async def abort(server, draw, n_prompt, n_answer):
    """Goes away at a random phase, politely or with a reset."""
    phase = draw.choice(ABORTS)
    request = server.request("POST", PATH, json.dumps(make_body(draw.randrange(2**32), n_prompt, n_answer)).encode())
    head = request.index(b"\r\n\r\n")
    cut = {"in the head": draw.randrange(1, head), "in the body": draw.randrange(head + 4, len(request))}.get(phase, len(request))
    reader, writer = await server.connect(receive_buffer=4096)
    try:
        if draw.random() < 0.5:
            linger = struct.pack("ii", 1, 0)  # close() sends RST
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.write(request[:cut])
        await writer.drain()
        if phase == "in the stream":
            async with asyncio.timeout(10):  # wait_for may swallow a cancellation (CPython issue 86296)
                await reader.read(draw.randrange(1, 4000))
        elif phase == "never reads":
            writer.transport.pause_reading()
            await asyncio.sleep(draw.uniform(0.2, 1.0))
        else:
            await asyncio.sleep(draw.uniform(0, 0.3))
    except (OSError, asyncio.TimeoutError):
        pass
    finally:
        writer.close()
    return phase
