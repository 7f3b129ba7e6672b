"""Certificates for tests: an authority, and signers that it vouches for, in all the ways in which they can be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KEYS = {
    "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "es512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ps256": lambda: rsa.generate_private_key(65537, 2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def _name(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


@dataclass(frozen=True)
class Signer:
    """A signer's certificate chain and key, written to files."""

    chain: Path
    key: Path
    authority: Path


def make_signer(
    folder: Path,
    *,
    name: str = "Test Signer",
    algorithm: str = "es256",
    days: tuple[int, int] = (-1, 30),
    password: str | None = None,
) -> Signer:
    """Write a chain, its key and the authority's certificate below `folder`; `days` from now it is valid."""
    folder.mkdir(parents=True, exist_ok=True)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), KEYS[algorithm]()
    root = _certificate(
        _name("Test Authority"), root_key, _name("Test Authority"), root_key, (-1, 3650), authority=True
    )
    leaf = _certificate(_name(name), key, root.subject, root_key, days, authority=False)
    pem = serialization.Encoding.PEM
    lock = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    files = Signer(folder / "chain.pem", folder / "key.pem", folder / "authority.pem")
    files.chain.write_bytes(leaf.public_bytes(pem) + root.public_bytes(pem))
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, lock))
    files.authority.write_bytes(root.public_bytes(pem))
    return files


def _certificate(
    subject: x509.Name,
    key: Key,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: tuple[int, int],
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    public, above = key.public_key(), issuer_key.public_key()
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
    builder = (
        x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
