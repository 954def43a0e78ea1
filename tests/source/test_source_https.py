"""Over real HTTPS: a certificate of one's own is trusted where it is named, and nowhere else."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from evaluator.errors import SourceError
from evaluator.source import Contents, Pair, Remote, fetch_commits, worktrees
from tests.source.pulls import AT_ONCE, TOKEN
from tests.source.repositories import ENVIRON, Repository
from tests.source.test_source_lfs import oid_of, pointer
from tests.standin.git_http import GitServer, git_http


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(*form))
    path = tmp_path / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(tmp_path: Path, certificate: Path) -> Iterator[GitServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, tmp_path / "key.pem")
    with git_http(tmp_path / "server", tokens=[TOKEN], tls=tls) as running:
        yield running


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "GIT_SSL_CAINFO"])
def test_commits_and_lfs_content_come_over_https(
    secure: GitServer, certificate: Path, tmp_path: Path, scratch: Path, name: str
) -> None:
    repository = Repository(tmp_path / "user")
    repository.write(".gitattributes", "*.bin filter=lfs\n")
    repository.write("a.bin", pointer(b"content"))
    secure.add_lfs(oid_of(b"content"), b"content")
    sha = repository.commit("one")
    secure.create("acme/app", repository.path)
    remote = Remote(f"{secure.url}/acme/app", SecretStr(TOKEN))
    environ = {**ENVIRON, name: str(certificate)}
    fetch_commits(remote, [sha], tmp_path / "ours", environ, patience=AT_ONCE)
    contents = Contents(remote, patience=AT_ONCE)
    pair = Pair(sha, sha, sha)
    with worktrees(
        tmp_path / "ours", "m", "f", pair=pair, contents=contents, scratch=scratch, environ=environ
    ) as sources:
        assert (sources.head.path / "a.bin").read_bytes() == b"content"
    with (
        pytest.raises(SourceError, match="does not prove who it is"),
        worktrees(tmp_path / "ours", "m", "f", pair=pair, contents=contents, scratch=scratch, environ=ENVIRON),
    ):
        pass


def test_a_certificate_that_nobody_named_is_not_trusted(secure: GitServer, tmp_path: Path) -> None:
    remote = Remote(f"{secure.url}/acme/app", SecretStr(TOKEN))
    with pytest.raises(SourceError, match="does not prove who it is") as caught:
        fetch_commits(remote, ["1" * 40], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    assert "GIT_SSL_CAINFO" in caught.value.hint
    assert secure.seen == []
