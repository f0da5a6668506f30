"""A throw-away certificate authority, so that the emulator can answer as hosts whose certificates it can't have."""

from __future__ import annotations

import datetime
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, KeyUsage, Name

_LIFETIME = datetime.timedelta(days=30)


class Authority:
    """Signs a certificate for each host that is asked for.

    The key of the authority is never written to disk, so no other process can use it against a client that trusts it.

    Args:
        folder: Where the certificate is written; made if need be.

    Attributes:
        certificate: The file with the certificate that clients must trust, in PEM.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self._folder = folder
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._key, self._leaf_key = _new_key(), _new_key()
        self._root = _sign(_root_builder(self._key), self._key)
        self.certificate.write_bytes(_pem(self._root))

    def context(self, host: str) -> ssl.SSLContext:
        """Returns what a server needs to answer as a host.

        Args:
            host: Its name.
        """
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._new_context(host)
            return self._contexts[host]

    def _new_context(self, host: str) -> ssl.SSLContext:
        from cryptography.hazmat.primitives import serialization

        leaf = _sign(_leaf_builder(host, self._leaf_key, self._root), self._key)
        key = self._leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = self._folder / "host.pem"
        chain.touch(mode=0o600)
        chain.write_bytes(key + _pem(leaf) + _pem(self._root))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        chain.unlink()
        return context


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _sign(builder: CertificateBuilder, key: EllipticCurvePrivateKey) -> Certificate:
    from cryptography.hazmat.primitives import hashes

    return builder.sign(key, hashes.SHA256())


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(subject: str, issuer: str, key: EllipticCurvePrivateKey) -> CertificateBuilder:
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    # Valid since an hour ago, because the clock of a container may be behind.
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + _LIFETIME)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


_ROOT_NAME = "Throw-away authority of the emulator"


def _root_builder(key: EllipticCurvePrivateKey) -> CertificateBuilder:
    """Returns the authority's certificate; Python 3.13 verifies strictly and needs every one of these extensions."""
    from cryptography import x509

    builder = _builder(_ROOT_NAME, _ROOT_NAME, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False)


def _leaf_builder(host: str, key: EllipticCurvePrivateKey, root: Certificate) -> CertificateBuilder:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    builder = _builder(host[:64], _ROOT_NAME, key)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(server, critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())  # type: ignore[arg-type]
    return builder.add_extension(identifier, critical=False)


def _usage(*, signs: bool) -> KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
