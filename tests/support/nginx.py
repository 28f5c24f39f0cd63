"""A real nginx with our example of docs/deployment, at free ports, with its own certificate."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "deployment" / "nginx.conf"
NAME = "lab.example.org"
MISSING = "nginx is not installed, and its example cannot be tried: apt-get install nginx-light"


@dataclass(frozen=True)
class Proxy:
    """nginx in front of an app: its address for visitors, and whom they trust."""

    address: str  # host:port/svae
    plain: str  # host:port, without TLS
    tls: ssl.SSLContext


@contextmanager
def in_front_of(app_port: int, folder: Path) -> Iterator[Proxy]:
    """nginx with the example's own text; only ports, paths and the name are this machine's."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert program, MISSING
    assert shutil.which("openssl"), "openssl is not installed: apt-get install openssl"
    certificate, key = folder / "lab.pem", folder / "lab.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    port, plain = free_port(), free_port()
    text = EXAMPLE.read_text("utf-8")
    for ours, here in {
        "127.0.0.1:8501": f"127.0.0.1:{app_port}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "/etc/ssl/lab.example.org.pem": str(certificate),
        "/etc/ssl/lab.example.org.key": str(key),
        NAME: "localhost",
    }.items():
        assert ours in text, f"the example has no {ours!r}"
        text = text.replace(ours, here)
    (folder / "site.conf").write_text(text)
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; error_log {folder}/error.log; daemon off; worker_processes 2;\n"
        f"worker_rlimit_nofile 16384; events {{ worker_connections 8192; }}\n"
        f"http {{ access_log {folder}/access.log; client_body_temp_path {folder}/body;\n"
        f"proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path "
        f"{folder}/u; scgi_temp_path {folder}/s;\ninclude {folder}/site.conf; }}\n"
    )
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    process = subprocess.Popen(command)
    try:
        _wait_for(port, process)
        tls = ssl.create_default_context(cafile=str(certificate))
        yield Proxy(f"localhost:{port}/svae", f"localhost:{plain}", tls)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx ended")
