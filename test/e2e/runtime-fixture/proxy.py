"""Stands in for Envoy where a test looks at the network alone: marks its connections, answers on a gateway's port."""
import json, os, signal, socket, subprocess, sys

state, run, folder, agent = sys.argv[2:6]


def look(function):
    try:
        function()
        return "succeeded"
    except OSError as error:
        return "failed: %s" % error.strerror


def run_program(*command):
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
    if done.returncode != 0:
        raise OSError(1, done.stderr.strip()[-200:])


seen = {
    "list the state": look(lambda: os.listdir(state)),
    "read a key of the state": look(lambda: open(state + "/other.key").read()),
    "read /etc/shadow": look(lambda: open("/etc/shadow").read()),
    "list the home folder": look(lambda: os.listdir(os.path.expanduser("~"))),
    "write a manifest": look(lambda: open(folder + "/manifests/more.yaml", "w").write("x")),
    "write in the application's folder": look(lambda: open(folder + "/more.yaml", "w").write("x")),
    "reach the machine's socket": look(lambda: socket.socket(socket.AF_UNIX).connect(run + "/machine.sock")),
    "signal the agent": look(lambda: os.kill(int(agent), signal.SIGURG)),
    "open a socket of another family": look(lambda: socket.socket(40, socket.SOCK_STREAM)),
    "open a packet socket": look(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "change its Pod's rules": look(lambda: run_program("iptables", "-A", "OUTPUT", "-j", "ACCEPT")),
    "take another Pod's address": look(lambda: run_program("ip", "addr", "add", "10.244.0.99/16", "dev", "eth0")),
    "write to its sockets' folder": look(lambda: open(run + "/p/admin", "w").close()),
    "run folder": sorted(os.listdir(run)),
    "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
}
print("SEEN " + json.dumps(seen), flush=True)

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
