#!/usr/bin/python3
"""More clients than there is room for: the server tells those it has no room for, and forgets nobody.

Usage: test_crowd.py KYLIN [unittest arguments]
"""
import collections
import http.client
import resource
import select
import socket
import time
import unittest

import serving
from serving import Server


def can_ask(server):
    try:
        return server.get("/health") == {"status": "ok"}
    except (ConnectionError, http.client.BadStatusLine):
        return False


class Crowd(unittest.TestCase):
    def test_a_thousand_connections(self):
        server = Server()
        sockets = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(1000)]
        self.assertEqual(server.get("/health"), {"status": "ok"})
        sockets[999].sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(sockets[999].recv(1000).startswith(b"HTTP/1.1 200"))
        for s in sockets:
            s.close()
        server.wait_idle()
        self.assertEqual(server.stop()[0], 0)

    def test_connections_beyond_the_limit_are_closed_and_their_places_come_back(self):
        server = Server("--max-connections", 20)
        sockets = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(30)]
        closed = [s for s in sockets[20:] if s.recv(1) == b""]
        self.assertEqual(len(closed), 10)
        self.assertEqual(select.select(sockets[:20], [], [], 0)[0], [])  # those before them were left alone
        for s in sockets:
            s.close()
        end = time.monotonic() + 20
        while not can_ask(server):  # it learns of the closed ones one by one
            self.assertLess(time.monotonic(), end)
        for _ in range(50):
            server.get("/health")
        self.assertEqual(server.stop()[0], 0)

    def test_two_thousand_requests_at_once(self):
        server = Server("--parallel", 2, "--queue", 30, "--max-connections", 2100)
        body = b'{"prompt": "Hello", "max_tokens": 3}'
        request = b"POST /generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        waiting = {}
        poll = select.poll()
        for _ in range(2000):
            s = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            s.sendall(request)
            waiting[s.fileno()] = (s, bytearray())
            poll.register(s, select.POLLIN)
        answers = []
        while waiting:
            ready = poll.poll(60000)
            self.assertTrue(ready, f"{len(waiting)} were never answered")
            for fd, _ in ready:
                s, data = waiting[fd]
                if piece := s.recv(65536):
                    data += piece
                    continue
                answers.append(bytes(data))
                poll.unregister(fd)
                s.close()
                del waiting[fd]
        counts = collections.Counter(a[9:12] for a in answers)
        self.assertEqual(set(counts) - {b"200", b"429"}, set(), counts)
        self.assertGreater(counts[b"200"], 30)
        self.assertGreater(counts[b"429"], 0)
        self.assertTrue(all(b"Retry-After" in a for a in answers if a[9:12] == b"429"))
        server.wait_idle()
        self.assertEqual(server.stop()[0], 0)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))  # of the server, too
    serving.main()
