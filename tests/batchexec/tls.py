"""A TLS server in front of a local AWS Batch, which breaks a reply on request."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import os
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: An application record of TLS whose content nobody has encrypted.
NO_RECORD = b"\x17\x03\x03\x00\x20" + b"\x00" * 32


def write_certificate(path: Path) -> None:
    """A key, and its certificate for 127.0.0.1, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + certificate.public_bytes(pem))


class Proxy(socketserver.ThreadingTCPServer):
    """Passes requests on to `url`. `broken`: the paths whose next reply is broken."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, url: str, certificate: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = urlsplit(url)
        self.broken: list[str] = []
        self.passed: list[str] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        return self._context.wrap_socket(connection, server_side=True), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away isn't worth a line."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        behind = http.client.HTTPConnection(self.server.behind.netloc, timeout=60)
        headers = {**self.headers, "Host": self.server.behind.netloc}
        behind.request("POST", self.path, body, headers)
        reply = behind.getresponse()
        content = reply.read()
        self.server.passed.append(self.path)
        if self.path in self.server.broken:
            self.server.broken.remove(self.path)
            os.write(self.connection.fileno(), NO_RECORD)  # past the TLS
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("connection", "server", "date"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@contextmanager
def tls(url: str, folder: Path) -> Iterator[Proxy]:
    """Serves `url` by TLS. `folder` gets the certificate to trust, `tls.pem`."""
    certificate = folder / "tls.pem"
    write_certificate(certificate)
    with Proxy(url, certificate) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
