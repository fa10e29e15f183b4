"""A server of files on this machine that counts what is asked of it, and fails on demand."""

import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        files, asked, faults = self.server.files, self.server.asked, self.server.faults
        name = self.path.removeprefix("/")
        asked.append(name)
        fault = faults.get(name)
        if name not in files or fault == "missing":
            self.send_error(404)
            return
        body = files[name]
        if fault == "slow":
            time.sleep(0.2)
        self.send_response(200)
        if fault != "no length":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # What is cut short ends with the connection.
        self.wfile.write(body[: len(body) // 2] if fault in ("cut", "no length") else body)

    def log_message(self, *args):
        pass


@contextmanager
def serving(monkeypatch):
    """Yield a server: `url`, `files` {name: bytes}, `faults` {name: what}, `asked` [name]."""
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}/"
        server.files, server.faults, server.asked = {}, {}, []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
