"""The shop's web server: GET / counts a visit and places an order in Redis, GET /health says whether Redis answers."""

import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INSTANCE = int(os.environ.get("KINGLY_INSTANCE", "0"))
HTTP_PORT = int(os.environ.get("SHOP_HTTP_PORT", "8080")) + INSTANCE
REDIS_PORT = int(os.environ.get("SHOP_REDIS_PORT", "6390"))


class RedisError(Exception):
    pass


class Redis:
    """As much of the Redis protocol as a counter and a list need, one connection a request."""

    def __enter__(self):
        self.socket = socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=2)
        self.stream = self.socket.makefile("rb")
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def call(self, *words):
        request = b"*%d\r\n" % len(words)
        for word in words:
            data = str(word).encode()
            request += b"$%d\r\n%s\r\n" % (len(data), data)
        self.socket.sendall(request)
        return self.reply()

    def reply(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise RedisError("the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2].decode()
        raise RedisError(rest.decode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        pages = {"/": self.visit, "/health": self.health}
        page = pages.get(self.path)
        if page is None:
            self.answer(404, {"error": "no such page"})
            return
        try:
            self.answer(200, page())
        except (OSError, RedisError) as e:
            self.answer(503, {"error": f"redis: {e}"})

    def visit(self):
        with Redis() as redis:
            visits = redis.call("INCR", "shop:visits")
            redis.call("RPUSH", "shop:orders", f"order {visits} by instance {INSTANCE}")
        return {"visits": visits, "instance": INSTANCE, "pid": os.getpid()}

    def health(self):
        with Redis() as redis:
            return {"redis": redis.call("PING"), "instance": INSTANCE}

    def answer(self, status, body):
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        print(f"{self.address_string()} {format % args}", flush=True)


def notify(text):
    """sd_notify(3): who started us waits for this before it calls us ready."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(text.encode(), path)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", HTTP_PORT), Handler)
    server.daemon_threads = True
    # shutdown() waits for the loop to end, so it cannot be called from the thread that runs the loop.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"instance {INSTANCE} listens on http://127.0.0.1:{HTTP_PORT}/", flush=True)
    notify("READY=1")
    server.serve_forever(poll_interval=0.2)
    server.server_close()
    print("bye", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
