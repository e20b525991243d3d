"""A server as one writes it for a supervisor: takes the socket it is given, says when it is ready, and at SIGTERM finishes what it has begun.
Arguments: a directory. A file `broken` there lets it exit at once, `slow` keeps it from ever being ready, `deaf` from hearing SIGTERM."""
import os, signal, socket, sys, threading, time

home = sys.argv[1]
stopping = threading.Event()
CLOSING = "\r\nConnection: close"


def there(name):
    return os.path.exists(os.path.join(home, name))


def answer(connection, request):
    """Whether the connection goes on."""
    asked = b""
    while (line := request.readline()) not in (b"\r\n", b""):
        asked += line.lower()
    last = stopping.is_set() or b"connection: close" in asked
    if asked:
        body = f"{os.getpid()} {os.environ['KINGLY_INSTANCE']}"
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}{CLOSING if last else ''}\r\n\r\n{body}".encode())
    return asked and not last


def serve(connection):
    connection.settimeout(30)
    with connection, connection.makefile("rb") as request:
        try:
            while answer(connection, request):
                pass
        except (TimeoutError, ConnectionError):
            pass


if there("broken"):
    sys.exit("this version is broken")
listener = socket.socket(fileno=3)
listener.settimeout(0.05)
if not there("deaf"):
    signal.signal(signal.SIGTERM, lambda *arguments: stopping.set())
else:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
while there("slow"):
    time.sleep(0.05)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0"))
threads = []
while not stopping.is_set():
    try:
        connection, _ = listener.accept()
    except (TimeoutError, BlockingIOError):
        continue
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threads = [t for t in threads if t.is_alive()]
    threads.append(threading.Thread(target=serve, args=(connection,)))
    threads[-1].start()
for t in threads:
    t.join()
