"""A PostgreSQL like one of RDS: with the schema, TLS, and a certificate for its name."""

import socket
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import psycopg2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from administration.operations import perform_at
from local.postgres import Postgres
from runtime.user import User
from sam_offline.processes import free_port
from sam_offline.state import StateFolder


@dataclass(frozen=True, kw_only=True)
class Database:
    """A running database.

    Attributes
    ----------
    url
        The URL of its owner, without encryption.
    address
        A URL as DATABASE_URL of functions on AWS: with neither user nor settings for TLS.
    certificate
        A PEM file with the server's certificate, which has signed itself, and its key.
    """

    url: str
    address: str
    certificate: Path

    def add(self, user: User) -> None:
        """Write `user` into the directory, with their handle as cognito_user_id."""
        with closing(psycopg2.connect(self.url)) as connection, connection:
            connection.cursor().execute(
                "INSERT INTO public.users (uuid, handle, display_name, email, cognito_user_id) "
                "VALUES (%(uuid)s, %(handle)s, %(display_name)s, %(handle)s, %(handle)s)",
                vars(user),
            )


@contextmanager
def database() -> Iterator[Database]:
    """Start a database, and stop it in the end."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        state = StateFolder(Path(folder))
        state.acquire()
        port = free_port(0, "POSTGRES_PORT")
        postgres = Postgres(state=state, port=port)
        try:
            postgres.wait()
            perform_at(postgres.url, {"action": "migrate"})
            certificate = _certificate(Path(folder))
            with _encrypted(port, certificate) as encrypted:
                address = f"postgresql://127.0.0.1:{encrypted}/cruddur"
                yield Database(url=postgres.url, address=address, certificate=certificate)
        finally:
            postgres.stop()
            state.release()


def _certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1; return the file with it and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.touch(mode=0o600)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


class _Encryption(socketserver.BaseRequestHandler):
    """TLS for a server that was built without it: passes on what it decrypts."""

    context: ssl.SSLContext
    port: int

    def handle(self) -> None:
        # A client asks for TLS by eight bytes and waits for a letter
        # (https://www.postgresql.org/docs/current/protocol-flow.html, "SSL Session Encryption").
        self.request.recv(8, socket.MSG_WAITALL)
        self.request.sendall(b"S")
        with (
            suppress(OSError),
            self.context.wrap_socket(self.request, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self.port)) as server,
        ):
            back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
            back.start()
            self._pass_on(client, server)
            back.join()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def _encrypted(port: int, certificate: Path) -> Iterator[int]:
    """Pass connections with TLS on to `port`; yield the port for them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    handler = type("Encryption", (_Encryption,), {"context": context, "port": port})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
