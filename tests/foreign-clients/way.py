"""The way to WeChat: a CONNECT proxy that leads its hosts to the simulator and lets nobody go anywhere else."""

import socket
import socketserver
import threading

HOSTS = ("open.weixin.qq.com", "api.weixin.qq.com")


class Way(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine until it is left."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, simulator):
        super().__init__(("127.0.0.1", 0), Caller)
        self.simulator = simulator
        # Whoever was turned away: a client that wanted to go where it should not.
        self.refused = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Caller(socketserver.BaseRequestHandler):
    """One connection. What is said on it is encrypted, and none of the proxy's business."""

    def handle(self):
        request = b""
        while b"\r\n\r\n" not in request:
            part = self.request.recv(4096)
            if not part:
                return
            request += part
        method, target, *_ = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        host, _, port = target.partition(":")
        if method != "CONNECT" or host not in HOSTS or port != "443":
            self.server.refused.append(target)
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        with socket.create_connection(self.server.simulator) as upstream:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=copy, args=(upstream, self.request), daemon=True)
            back.start()
            copy(self.request, upstream)
            back.join()


def copy(source, target):
    try:
        while part := source.recv(65536):
            target.sendall(part)
    except OSError:
        pass
    finally:
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
