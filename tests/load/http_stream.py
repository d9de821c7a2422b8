"""One HTTP request over a connection of its own, its answer read piece by piece as it comes."""
import asyncio
import socket
from urllib.parse import urlsplit


class Refused(Exception):
    """Another status than 200, or an answer that is not what HTTP says."""

    def __init__(self, status, what, retry_after=1.0):
        super().__init__(f"status {status}: {what}")
        self.status = status
        self.retry_after = retry_after


class Server:
    def __init__(self, url):
        parts = urlsplit(url if "//" in url else "http://" + url)
        self.host, self.port = parts.hostname, parts.port or 80

    async def connect(self, receive_buffer=None):
        s = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        s.setblocking(False)
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(s, (self.host, self.port))
        except BaseException:
            s.close()
            raise
        return await asyncio.open_connection(sock=s, limit=receive_buffer or 2**16)

    def request(self, method, path, body=b"", fields=""):
        return (f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n{fields}\r\n").encode() + body

    async def ask(self, method, path, body=b"", **how):
        return b"".join([piece async for piece in self.stream(method, path, body, **how)])

    async def stream(self, method, path, body=b"", receive_buffer=None, pause=0.0):
        """The pieces of the body as they come, `pause` seconds after each before the next is read."""
        reader, writer = await self.connect(receive_buffer)
        try:
            writer.write(self.request(method, path, body))
            await writer.drain()
            status, fields = await read_head(reader)
            pieces = chunks(reader) if fields.get("transfer-encoding", "").lower() == "chunked" else plain(reader, fields)
            if status != 200:
                text = b"".join([piece async for piece in pieces]).decode(errors="replace")
                raise Refused(status, text[:200], float(fields.get("retry-after", 1)))
            async for piece in pieces:
                yield piece
                if pause:
                    await asyncio.sleep(pause)
        finally:
            writer.close()


async def read_head(reader):
    line = (await reader.readline()).decode()
    if not line.startswith("HTTP/1.1 "):
        raise Refused(0, f"no answer but {line!r}")
    fields = {}
    while (field := (await reader.readline()).decode().strip()):
        name, _, value = field.partition(":")
        fields[name.lower()] = value.strip()
    return int(line.split()[1]), fields


async def plain(reader, fields):
    if "content-length" in fields:
        yield await reader.readexactly(int(fields["content-length"]))
        return
    while piece := await reader.read(65536):
        yield piece


async def chunks(reader):
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()
