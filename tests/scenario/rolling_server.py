"""A server as one writes it for a supervisor: takes the socket it is given, says when it is ready, and at SIGTERM finishes what it has begun.
Arguments: a directory. A file `broken` there lets it exit at once, `slow` keeps it from ever being ready, `deaf` from hearing SIGTERM."""
import http.server, os, signal, socket, sys, threading, time

home = sys.argv[1]
stopping = threading.Event()


def there(name):
    return os.path.exists(os.path.join(home, name))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        body = f"{os.getpid()} {os.environ['KINGLY_INSTANCE']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if stopping.is_set() or self.headers.get("Connection") == "close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def serve(connection, address):
    try:
        Handler(connection, address, None)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        connection.close()


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
        connection, address = listener.accept()
    except (TimeoutError, BlockingIOError):
        continue
    connection.setblocking(True)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threads = [t for t in threads if t.is_alive()]
    threads.append(threading.Thread(target=serve, args=(connection, address)))
    threads[-1].start()
for t in threads:
    t.join()
