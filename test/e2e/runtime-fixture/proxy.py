"""Stands in for Envoy where a test looks at the network alone: marks its connections, answers on a gateway's port."""
import socket, sys

if sys.argv[1] == "router":
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", 443))
    server.listen()
    while True:
        connection, peer = server.accept()
        connection.sendall(("gateway heard %s from %s" % (connection.recv(100).decode(), peer[0])).encode())
        connection.close()

s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, 36, 1337)
s.settimeout(3)
try:
    s.connect((socket.gethostbyname("open.example.com"), 5432))
    s.sendall(b"ping")
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while True:
        part = s.recv(65536)
        if not part:
            break
        answer += part
    print("relay answered %d bytes, first %s" % (len(answer), answer[:4].decode()), flush=True)
except OSError as error:
    print("relay failed: %s" % error, flush=True)
