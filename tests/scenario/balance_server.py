"""Servers that know nothing of draining or balancing: they take the socket they are given (from descriptor 3 on) and die at SIGTERM at once.
Arguments: a directory, and `echo` for one that keeps each connection open and answers line by line. A file `unready.N` there lets instance N answer 503 to
/ready, `slow.N` makes it answer nobody while it is there, `proxied` makes it expect a header of the PROXY protocol, which it answers with."""
import os, socket, struct, sys, threading, time

home, me = sys.argv[1], os.environ["KINGLY_INSTANCE"]
there = lambda name: os.path.exists(os.path.join(home, name))
address = lambda s: s.decode() if isinstance(s, bytes) else s


def proxied(file):
    """The header as text: "client destination"."""
    first = file.read(12)
    if first.startswith(b"PROXY "):
        words = (first + file.readline()).decode().split()
        return f"v1 {words[1]} {words[2]} {words[4]} {words[3]} {words[5]}" if len(words) == 6 else "v1 " + words[1]
    assert first == b"\r\n\r\n\0\r\nQUIT\n", first
    command, family, size = struct.unpack("!BBH", file.read(4))
    block = file.read(size)
    if family != 0x11:
        return f"v2 {command:#x} {family:#x}"
    client, server, client_port, server_port = struct.unpack("!4s4sHH", block[:12])
    return f"v2 TCP4 {socket.inet_ntoa(client)} {client_port} {socket.inet_ntoa(server)} {server_port}"


def echo(connection):
    try:
        for line in connection.makefile("rb"):
            connection.sendall(f"{os.getpid()} {me} ".encode() + line)
    except OSError:
        pass
    connection.close()


def answer(connection, request):
    header = proxied(request) if there("proxied") else ""
    path = request.readline().split()[1]
    while request.readline() not in (b"\r\n", b""):
        pass
    while there("slow." + me):
        time.sleep(0.05)
    status = "503 Not yet" if path == b"/ready" and there("unready." + me) else "200 OK"
    body = f"{os.getpid()} {me} {header}"
    connection.sendall(f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def serve(connection):
    with connection, connection.makefile("rb") as request:
        try:
            answer(connection, request)
        except (OSError, ValueError, IndexError):
            pass


def listen(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo if "echo" in sys.argv else serve, args=(connection,), daemon=True).start()


listeners = [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
for l in listeners[1:]:
    threading.Thread(target=listen, args=(l,), daemon=True).start()
listen(listeners[0])
