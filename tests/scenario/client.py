"""A client of the daemon's socket that says whatever it likes, where kingctl would refuse to."""
import json, os, socket

PATIENCE = float(os.environ.get("KINGLY_PATIENCE", "30"))


class Error(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name}: {parameters}")
        self.name, self.parameters = name, parameters or {}


class Client:
    def __init__(self, home, timeout=4 * PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(os.path.join(home, "kingd.sock"))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, method, parameters=None, **fields):
        message = {"method": f"io.kingly.Manager.{method}", "parameters": parameters or {}} | fields
        self.socket.sendall(json.dumps(message).encode() + b"\0")

    def receive(self):
        """The next message whole; None at the end of the stream."""
        while b"\0" not in self.buffer:
            more = self.socket.recv(1 << 16)
            if not more:
                return None
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def answer(self):
        message = self.receive()
        if message is None:
            raise Error("end of stream", None)
        if message.get("error"):
            raise Error(message["error"].rsplit(".", 1)[1], message.get("parameters"))
        return message["parameters"]

    def call(self, method, parameters=None, **fields):
        self.send(method, parameters, **fields)
        return self.answer()
