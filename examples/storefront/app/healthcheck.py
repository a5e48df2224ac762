"""Exits 0 when GET /healthz on the given port of this container says 200. Small, as it runs often."""

import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1.5) as connection:
    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    answer = b""
    while data := connection.recv(4096):
        answer += data
sys.exit(0 if b" 200 " in answer[:64] else 1)
