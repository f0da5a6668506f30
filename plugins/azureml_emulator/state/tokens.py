"""Tokens, which are signed so that forged and expired ones are refused."""

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
    """Issues and checks bearer tokens, and the signatures of addresses in the storage account.

    Args:
        key: The key to sign with.
        tenant_id: The directory, for the claims of tokens.

    Attributes:
        lifetime_s: How long a token is valid, in seconds.
    """

    lifetime_s = 86_400

    def __init__(self, key: str, tenant_id: str) -> None:
        self._key = key.encode()
        self._tenant_id = tenant_id

    @staticmethod
    def new_key() -> str:
        """Makes a key to sign with."""
        return secrets.token_hex(32)

    @property
    def account_key(self) -> str:
        """The key of the storage account; the signature of a request with it is not checked."""
        return base64.b64encode(hashlib.sha512(self._key).digest()).decode()

    def issue(self, *, lifetime_s: float = lifetime_s, **claims: str) -> str:
        """Issues a token.

        Args:
            lifetime_s: How long it is valid, in seconds.
            **claims: Claims beside those that clients read.
        """
        now = int(time.time())
        fields = {"tid": self._tenant_id, "iat": now, "nbf": now, "exp": now + int(lifetime_s), **claims}
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(fields)}"
        return f"{signed}.{self._sign(signed)}"

    def check(self, request: Request) -> None:
        """Checks the token of a request.

        Raises:
            Refusal: It has no token, or one that is forged or has expired.
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
        """Returns the query with which anybody may read and write the blob at `/container/name`."""
        return f"sv=2024-11-04&sr=b&sp=rcw&se=2099-01-01T00%3A00%3A00Z&sig={self._sign(path)}"

    def signs(self, path: str, signature: str) -> bool:
        """Returns whether a signature is that of a path or of its container.

        Args:
            path: `/container/name`.
            signature: The signature in the query.
        """
        container = "/" + path.lstrip("/").partition("/")[0]
        return any(hmac.compare_digest(signature.encode(), self._sign(one).encode()) for one in (path, container))

    def _sign(self, text: str) -> str:
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _encode(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
