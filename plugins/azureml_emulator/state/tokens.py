"""Tokens: signed, so that a forged or an expired one is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from ..network.message import Refusal, Request


class Tokens:
    """Gives and checks bearer tokens, and the signatures of addresses in the storage account.

    Attributes:
        life_s: How long a token is valid, in seconds.
    """

    life_s = 86_400

    def __init__(self, key: str, tenant_id: str) -> None:
        self._key = key.encode()
        self._tenant_id = tenant_id

    @staticmethod
    def new_key() -> str:
        """A key to sign with."""
        return secrets.token_hex(32)

    @property
    def account_key(self) -> str:
        """The key of the storage account; requests that are signed with it aren't checked against it."""
        return base64.b64encode(hashlib.sha512(self._key).digest()).decode()

    def give(self, *, life_s: float = life_s, **claims: str) -> str:
        """A token with these claims beside those that clients look at."""
        now = int(time.time())
        fields = {"tid": self._tenant_id, "iat": now, "nbf": now, "exp": now + int(life_s), **claims}
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(fields)}"
        return f"{signed}.{self._sign(signed)}"

    def check(self, request: Request) -> None:
        """Checks the token of a request.

        Raises:
            Refusal: It has none, or one that is not from here, or has expired.
        """
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not self._valid(token):
            raise Refusal(401, "Unauthorized", "the bearer token is missing, not valid or expired")

    def _valid(self, token: str) -> bool:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(signed).encode()):
            return False
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        return bool(claims["exp"] > time.time())

    def sign_path(self, path: str) -> str:
        """The query that lets whoever has it read and write the blob at `/container/name`."""
        return f"sv=2024-11-04&sr=b&sp=rcw&se=2099-01-01T00%3A00%3A00Z&sig={self._sign(path)}"

    def signed(self, path: str, signature: str) -> bool:
        """Whether the signature is the one for this path or for its container."""
        container = "/" + path.lstrip("/").partition("/")[0]
        return any(hmac.compare_digest(signature.encode(), self._sign(one).encode()) for one in (path, container))

    def _sign(self, text: str) -> str:
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _encode(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
