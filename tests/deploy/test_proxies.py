#!/usr/bin/python3
"""deploy/haproxy.cfg and deploy/nginx.conf in front of two replicas: conversations stay on one, streams are not held back, and a replica
that is killed loses its own requests alone. Needs haproxy and nginx, and fails without them: scripts/test installs both.

Usage: test_proxies.py KYLIN [unittest arguments]
"""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
import serving  # noqa: E402
from serving import Server  # noqa: E402

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
N_TALKS = 21  # odd: replicas that take turns get each another time. That hashing leaves a replica none: about one in a million.
KV_TOKENS = 16384  # all conversations fit, were they all one replica's
LONG_STREAM = {"max_tokens": 700, "ignore_eos": True, "temperature": 0, "stream": True}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def replaced(text, pairs):
    for old, new in pairs:
        assert old in text, f"{old!r} is not in the file"
        text = text.replace(old, new)
    return text


class Proxy:
    """A proxy with the committed configuration; only its addresses are the test's, and what a test of the tests breaks."""

    def __init__(self, replicas, broken=()):
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        addresses = [(f"kylin-{i + 1}:8080", f"127.0.0.1:{replica.port}") for i, replica in enumerate(replicas)]
        self.log = open(pathlib.Path(self.folder.name) / "log", "w+")
        command = self.configure([*addresses, *broken])
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 60
        while True:
            try:
                if self.ask("GET", "/health")[0] == 200:
                    break
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < end, self.read_log()
            time.sleep(0.05)

    def read_log(self):
        self.log.seek(0)
        return self.log.read()

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body and json.dumps(body), headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or "null")
        except (http.client.HTTPException, json.JSONDecodeError) as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def stream(self, path, body):
        return Stream(self.port, path, json.dumps(body).encode())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        self.folder.cleanup()


class HaProxy(Proxy):
    def configure(self, pairs):
        path = pathlib.Path(self.folder.name) / "haproxy.cfg"
        path.write_text(replaced((DEPLOY / "haproxy.cfg").read_text(), [("bind :8000", f"bind 127.0.0.1:{self.port}"), *pairs]))
        return ["haproxy", "-db", "-f", path]


class Nginx(Proxy):
    def configure(self, pairs):
        folder = pathlib.Path(self.folder.name)
        site = folder / "site.conf"
        site.write_text(replaced((DEPLOY / "nginx.conf").read_text(), [("listen 8000", f"listen 127.0.0.1:{self.port}"), *pairs]))
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.getuid() == 0 else ""  # whose the folder is
        (folder / "main.conf").write_text(f"{user} daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
                                          f"http {{ access_log off; {temporary} include {site}; }}\n")
        return ["nginx", "-e", "stderr", "-c", str(folder / "main.conf"), "-p", str(folder)]


class Stream:
    """The bytes of an answer as they come; http.client gives up where nothing comes for a while."""

    def __init__(self, port, path, body):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body))
        self.data = b""

    def read_some(self, timeout):
        """False when nothing comes for so long, or nothing more will."""
        self.socket.settimeout(timeout)
        try:
            piece = self.socket.recv(65536)
        except OSError:
            return False
        self.data += piece
        return bool(piece) and not self.whole()

    def read_all(self):
        while self.read_some(60):
            pass
        return self

    def whole(self):
        return self.data.endswith(b"\r\n0\r\n\r\n")

    def events(self):
        _, _, rest = self.data.partition(b"\r\n\r\n")
        text = b""
        while rest.count(b"\r\n") and (size := int(rest[:rest.index(b"\r\n")], 16)):
            begin = rest.index(b"\r\n") + 2
            text, rest = text + rest[begin:begin + size], rest[begin + size + 2:]
        return [event.removeprefix(b"data: ") for event in text.split(b"\n\n")[:-1]]

    def n_tokens(self):
        return sum(len(json.loads(event).get("tokens", [])) for event in self.events())

    def close(self):
        self.socket.close()


def talk(i, n_turns=1):
    """The i-th conversation up to its n-th question. Its beginning fills a page of the KV cache."""
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": f"Number {i}: " + f"{i} and so on. " * 12}]
    for turn in range(1, n_turns):
        messages += [{"role": "assistant", "content": f"Answer {turn}."}, {"role": "user", "content": f"And then, {turn}?"}]
    return {"messages": messages, "max_tokens": 2, "temperature": 0, "ignore_eos": True}


class Proxies:
    """The same tests for each proxy."""
    balance = ()  # what turns its affinity off

    def setUp(self):
        self.replicas = [Server("--name", f"replica {i}", "--kv-tokens", KV_TOKENS) for i in range(2)]
        self.started = []

    def tearDown(self):
        for proxy in self.started:
            proxy.stop()
        for replica in self.replicas:
            if replica.process.poll() is None:
                replica.process.send_signal(signal.SIGCONT)
                replica.stop()
            else:
                replica.log.close()

    def start(self, broken=(), replicas=None):
        self.started.append(self.proxy(replicas or self.replicas, broken))
        return self.started[-1]

    def replica_of(self, proxy, body, headers=None):
        status, answer = proxy.ask("POST", "/v1/chat/completions", body, headers)
        self.assertEqual(status, 200, answer)
        return answer["model"], answer["usage"]["prompt_tokens_details"]["cached_tokens"]

    def wanderers(self, proxy):
        """How many of N_TALKS conversations change their replica, and the replicas."""
        first = [self.replica_of(proxy, talk(i))[0] for i in range(N_TALKS)]
        later = [[self.replica_of(proxy, talk(i, turn))[0] for i in range(N_TALKS)] for turn in (2, 3)]
        return sum(len({first[i], later[0][i], later[1][i]}) > 1 for i in range(N_TALKS)), set(first)

    def test_a_conversation_stays_where_it_is_known(self):
        proxy = self.start()
        n, replicas = self.wanderers(proxy)
        self.assertEqual((n, replicas), (0, {"replica 0", "replica 1"}))
        for i in range(N_TALKS):
            self.assertGreaterEqual(self.replica_of(proxy, talk(i, 4))[1], 64, i)  # the replica still has its beginning
        self.assertGreater(self.wanderers(self.start(self.balance))[0], 0)  # the check can fail

    def test_a_header_says_which_conversation_it_is(self):
        proxy = self.start()
        by_header = [{self.replica_of(proxy, talk(i), {"X-Conversation": f"c{c}"})[0] for i in range(4)} for c in range(N_TALKS)]
        self.assertEqual([len(replicas) for replicas in by_header], [1] * N_TALKS)
        self.assertEqual(set.union(*by_header), {"replica 0", "replica 1"})

    def test_long_bodies_and_those_without_messages_are_answered(self):
        proxy = self.start()
        self.assertEqual(proxy.ask("POST", "/encode", {"text": "x" * 200000})[0], 200)
        names = {proxy.ask("POST", "/generate", {"prompt": "Hello", "max_tokens": 1})[1]["model"] for _ in range(20)}
        self.assertEqual(names, {"replica 0", "replica 1"})

    def held_back(self, broken=()):
        """Tokens that a replica had sent when it was stopped, and that do not reach the client while it stands still."""
        slow = Server("--numerics", "oracle")  # some ms for a token: when the count is known, few more are made
        self.replicas.append(slow)
        stream = self.start(broken, [slow, slow]).stream("/generate_stream", {"prompt": "Hello", **LONG_STREAM, "max_tokens": 100})
        slow.wait_for(lambda s: s["answers"] and s["answers"][0]["answer_tokens"] >= 5, "begun")
        n_sent = slow.get("/slots")["answers"][0]["answer_tokens"]
        slow.process.send_signal(signal.SIGSTOP)
        while stream.read_some(3):
            pass
        missing = n_sent - stream.n_tokens()
        self.assertFalse(stream.whole(), "it was too late to stop the replica")
        slow.process.send_signal(signal.SIGCONT)
        stream.read_all().close()
        self.assertEqual(stream.n_tokens(), 100)
        return missing

    def test_streams_are_not_held_back(self):
        self.assertLessEqual(self.held_back(), 0)

    def test_a_client_that_goes_away_is_noticed(self):
        stream = self.start().stream("/generate_stream", {"prompt": "Hello", **LONG_STREAM})
        self.assertTrue(stream.read_some(60))
        stream.close()
        for replica in self.replicas:
            replica.wait_idle()
        self.assertEqual(sum(replica.metric("kylin_abandoned_total") for replica in self.replicas), 1)

    def test_a_killed_replica_loses_its_own_requests_alone(self):
        proxy = self.start()
        victim, other = self.replicas
        home = {i: self.replica_of(proxy, talk(i))[0] for i in range(N_TALKS)}

        def begin(name):
            talks = [talk(i) for i in home if home[i] == name][:3]
            streams = [proxy.stream("/v1/chat/completions", {**body, **LONG_STREAM}) for body in talks]
            for stream in streams:
                self.assertTrue(stream.read_some(60))
            return streams

        kept, lost = begin("replica 1"), begin("replica 0")
        victim.process.kill()
        victim.process.wait()
        for streams, whole in ((kept, True), (lost, False)):
            self.assertGreater(len(streams), 0)
            for stream in streams:
                stream.read_all().close()
                self.assertEqual(stream.whole() and stream.events()[-1] == b"[DONE]", whole)
        self.assertEqual({self.replica_of(proxy, talk(i, 2))[0] for i in home}, {"replica 1"})
        other.wait_idle()


class WithHaProxy(Proxies, unittest.TestCase):
    proxy = HaProxy
    balance = (("balance hash var(txn.conversation)", "balance roundrobin"), ("hash-type consistent", ""))


class WithNginx(Proxies, unittest.TestCase):
    proxy = Nginx
    balance = (("hash $kylin_conversation consistent;", ""),)

    def test_buffering_would_be_noticed(self):
        # Chunks pass nginx's buffers by themselves; an answer in HTTP/1.0 has none.
        self.assertGreater(self.held_back([("proxy_buffering off;", ""), ("proxy_http_version 1.1;", "proxy_http_version 1.0;")]), 0)


if __name__ == "__main__":
    serving.main()
