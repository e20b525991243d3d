"""The shop's worker: takes orders from a list in Redis and packs them. Every 10 to 20 seconds it breaks, to show what a supervisor is for."""

import os
import random
import signal
import socket
import sys
import time

REDIS_PORT = int(os.environ.get("SHOP_REDIS_PORT", "6390"))


class Redis:
    """One connection, and as much of the protocol as this program needs."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=5)
        self.stream = self.socket.makefile("rb")

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
            raise ConnectionError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(f"redis: {rest.decode()}")
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2].decode()
        return rest.decode()


def take_order(redis):
    # Orders of the shop's visitors first; with none within a second, one of our own, so that there is always work.
    found = redis.call("BLPOP", "shop:orders", 1)
    if found is None:
        redis.call("RPUSH", "shop:orders", f"standing order of {time.strftime('%H:%M:%S')}")
        return None
    return found[1]


def crash():
    if random.random() < 0.5:
        print("out of tape, giving up", file=sys.stderr, flush=True)
        sys.exit(3)
    raise RuntimeError("the parcel fell off the table")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    redis = Redis()
    until = time.monotonic() + random.uniform(10, 20)
    print(f"worker {os.getpid()} starts", flush=True)
    while time.monotonic() < until:
        order = take_order(redis)
        if order is not None:
            packed = redis.call("INCR", "shop:packed")
            print(f"packed {order} (number {packed})", flush=True)
    crash()


if __name__ == "__main__":
    main()
