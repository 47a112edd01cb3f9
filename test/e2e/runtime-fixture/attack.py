"""What a workload might try to get past its sidecar. Prints one line of JSON: attempt -> what came of it."""
import ctypes, json, os, socket, struct, subprocess, sys

target = json.loads(os.environ["TARGETS"])
result = {}


def attempt(name, function):
    try:
        result[name] = function() or "succeeded"
    except Exception as error:  # noqa: BLE001
        result[name] = "failed: %s" % error


def tcp(host, port, source=None):
    def run():
        s = socket.socket()
        s.settimeout(1.5)
        if source:
            s.bind((source, 0))
        s.connect((host, port))
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return "got %r" % s.recv(20)

    return run


def udp(host, port):
    def run():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.sendto(b"x", (host, port))

    return run


def dns(name, kind=1):
    def run():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(1.5)
        question = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
        s.sendto(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + question, ("10.244.0.1", 53))
        answer = s.recv(512)
        code = answer[3] & 15
        return "rcode %d %s" % (code, socket.inet_ntoa(answer[-4:]) if struct.unpack(">H", answer[6:8])[0] else "none")

    return run


def mark():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, 36, 1337)


def unix(path):
    def run():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(1.5)
        s.connect(path)

    return run


def shell(command):
    def run():
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=10)
        if done.returncode != 0:
            raise RuntimeError((done.stderr or done.stdout).strip()[-200:])
        return done.stdout.strip() or "succeeded"

    return run


for name, (host, port) in target["tcp"].items():
    attempt("tcp " + name, tcp(host, port))
    attempt("udp " + name, udp(host, port))
attempt("tcp sibling from 127.0.0.6", tcp(*target["tcp"]["sibling"], source="127.0.0.6"))
attempt("dns closed", dns("closed.example.com"))
attempt("dns open", dns("open.example.com"))
attempt("mark", mark)
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) and None)
attempt("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW) and None)
for path in target["sockets"]:
    attempt("unix " + os.path.basename(path), unix(path))
for path in target["secrets"]:
    attempt("read " + os.path.basename(path), lambda: open(path).read())
run = target["run"]
attempt("list run folder", lambda: "entries %r" % os.listdir(run))
attempt("umount", shell("umount " + run))
attempt("umount in a user namespace", shell("unshare --user --map-root-user --mount umount " + run))
attempt("umount in a user namespace of another uid", shell("unshare --user --mount umount " + run))
attempt("mark in a user namespace", shell("unshare --user --map-root-user python3 -c 'import socket; socket.socket().setsockopt(1, 36, 1337)'"))
attempt("flush rules", shell("PATH=$PATH:/usr/sbin:/sbin iptables -F"))
attempt("address", shell("PATH=$PATH:/usr/sbin:/sbin ip addr add 10.244.0.2/16 dev eth0"))
for name, path in target["files"].items():
    attempt("read " + name, lambda: open(path).read(1) and None)
for name, path in target["folders"].items():
    attempt("list " + name, lambda: "entries %r" % os.listdir(path))
attempt("write a manifest", lambda: open(target["manifest"], "a").write("x") and None)
attempt("find the files in a user namespace", shell("unshare --user --map-root-user --mount sh -c 'umount -l /; cat /etc/shadow'"))
attempt("kill first process", lambda: os.kill(1, 9))
attempt("enter another namespace", shell("nsenter --target 1 --net true"))
attempt("write a sysctl", lambda: open("/proc/sys/net/ipv4/ip_forward", "w").write("1") and None)
attempt("switch IPv6 on", lambda: open("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "w").write("0") and None)
attempt("write in the application's folder", lambda: open("written", "w").write("x") and None)
attempt("write beside the application", lambda: open("/var/kumiko-test", "w").write("x") and None)
attempt("write to the user's home", lambda: open(target["home"] + "/.kumiko-test", "w").write("x") and None)
attempt("make a device", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)))
attempt("open a kernel device", lambda: open("/dev/kmsg", "rb") and None)
result["devices"] = sorted(os.listdir("/dev"))
result["processes"] = sorted(int(p) for p in os.listdir("/proc") if p.isdigit())
result["capabilities"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")]
print("RESULT " + json.dumps(result), flush=True)
if "--stay" in sys.argv:
    import time

    while True:
        time.sleep(60)
