"""PostgreSQL as RDS has it: it proves who it is, and asks IAM about who signs in with a token."""

import datetime
import ipaddress
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Rds"]

# Of PostgreSQL's protocol: what a client may ask before it says who it is, and what it is answered.
_TLS, _GSS = 80877103, 80877104
_PASSWORD_PLEASE = b"R" + struct.pack("!ii", 8, 3)
_REFUSED = b"SFATAL\0C28000\0MPAM authentication failed\0\0"


class Rds:
    """Before the PostgreSQL at `backend`, which trusts this machine; `url` leads here.

    `may_connect` is asked with the function whose token it is and the database user. The roots that
    a client has to trust are written into `certificates`, in the file of the region.
    """

    def __init__(
        self, backend: str, certificates: Path, may_connect: Callable[[str, str], bool], region: str
    ) -> None:
        at = urlsplit(backend)
        server_address = (str(at.hostname), int(at.port or 5432))
        context = _context(certificates, region)

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, EOFError):
                    _serve(self.request, context, server_address, may_connect)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"postgresql://127.0.0.1:{self._server.server_address[1]}{at.path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _serve(
    plain: socket.socket,
    context: ssl.SSLContext,
    server_address: tuple[str, int],
    may_connect: Callable[[str, str], bool],
) -> None:
    while (asked := struct.unpack("!ii", _read(plain, 8))[1]) == _GSS:
        plain.sendall(b"N")
    if asked != _TLS:
        return  # rds.force_ssl
    plain.sendall(b"S")
    with context.wrap_socket(plain, server_side=True) as client:
        length = _read(client, 4)
        startup = _read(client, struct.unpack("!i", length)[0] - 4)
        words = startup[4:].split(b"\0")
        user = dict(zip(words[::2], words[1::2], strict=False))[b"user"].decode()
        client.sendall(_PASSWORD_PLEASE)
        _, size = struct.unpack("!ci", _read(client, 5))
        token = parse_qs(_read(client, size - 4).decode().rstrip("\0").partition("?")[2])
        (function,) = re.findall(r":function:(\w+)$", token["X-Amz-Security-Token"][0])
        if token["DBUser"] != [user] or not may_connect(function, user):
            client.sendall(b"E" + struct.pack("!i", len(_REFUSED) + 4) + _REFUSED)
            return
        with socket.create_connection(server_address) as server:
            server.sendall(length + startup)
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _read(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := source.recv(size - len(data))):
            raise EOFError
        data += more
    return data


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until one of the two is closed, and then close the other."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _context(certificates: Path, region: str) -> ssl.SSLContext:
    """The server's side of TLS, with a certificate of a root that is made for it."""
    now = datetime.datetime.now(datetime.UTC)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def certificate(
        name: str, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(root_key, hashes.SHA256())
        )

    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    root = certificate("root", root_key.public_key(), x509.BasicConstraints(True, None))
    pem = serialization.Encoding.PEM
    (certificates / f"{region}.pem").write_bytes(root.public_bytes(pem))
    own = certificates / "server.pem"
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    own.write_bytes(
        key.private_bytes(pem, *private)
        + certificate("server", key.public_key(), here).public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return context
