"""The service that gives a machine of Azure the tokens of its managed identities, on loopback."""

from __future__ import annotations

import http.server
import json
import threading
from urllib.parse import parse_qs


class Identities:
    """Gives everybody the same token.

    Attributes:
        asked: The forms of the requests.
        address: Where it is, for MSI_ENDPOINT.
    """

    def __init__(self, token: str) -> None:
        self.asked: list[dict[str, list[str]]] = []
        given = json.dumps({"token_type": "Bearer", "access_token": token, "expires_on": "4102444800"}).encode()
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                self.send_response(200)
                self.send_header("Content-Length", str(len(given)))
                self.end_headers()
                self.wfile.write(given)

            def log_message(self, *arguments: object) -> None:
                """Prints nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Identities:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
