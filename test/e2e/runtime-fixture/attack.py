"""What a workload might try to get past its sidecar. Prints one line of JSON: attempt -> what came of it."""
import ctypes, json, mmap, os, socket, struct, subprocess, sys

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


IS_ARM = os.uname().machine == "aarch64"
KEYCTL, ADD_KEY, IO_URING_SETUP = (219, 217, 425) if IS_ARM else (250, 248, 425)
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    def run():
        if libc.syscall(number, *arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return run


def in_child(function):
    """In a process of its own, with what went wrong there."""

    def run():
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                function()
            except Exception as error:  # noqa: BLE001
                os.write(writer, str(error).encode()[:200])
            os._exit(0)
        os.close(writer)
        said = os.read(reader, 200).decode()
        os.close(reader)
        status = os.waitpid(child, 0)[1]
        if said or status != 0:
            raise RuntimeError(said or "ended with %d" % status)

    return run


CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000


def in_namespaces(flags, function):
    """With every right over new namespaces, which last until another program is run."""

    def run():
        if libc.unshare(flags) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        function()

    return in_child(run)


def unmount(path):
    if libc.umount2(path.encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def call_of_32_bits():
    """getpid by the table of i386: mov eax, 20; int 0x80; ret."""
    if IS_ARM:
        raise RuntimeError("not here")
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000cd80c3"))
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()


for name, (host, port) in target["tcp"].items():
    attempt("tcp " + name, tcp(host, port))
    attempt("udp " + name, udp(host, port))
attempt("tcp sibling from 127.0.0.6", tcp(*target["tcp"]["sibling"], source="127.0.0.6"))
attempt("dns closed", dns("closed.example.com"))
attempt("dns open", dns("open.example.com"))
attempt("mark", mark)
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) and None)
attempt("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW) and None)
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM) and None)
attempt("vsock in a user namespace", in_namespaces(CLONE_NEWUSER, lambda: socket.socket(40, socket.SOCK_STREAM)))
attempt("packet socket in a user namespace", in_namespaces(CLONE_NEWUSER | CLONE_NEWNET, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)))
attempt("crypto socket", lambda: socket.socket(38, socket.SOCK_SEQPACKET) and None)
attempt("io_uring", call(IO_URING_SETUP, 4, ctypes.create_string_buffer(256)))
attempt("the session's keyring", call(KEYCTL, 0, -3, 0))
attempt("a key of its own", call(ADD_KEY, b"user", b"kumiko", b"x", 1, -3))
attempt("names of the session's keys", lambda: open("/proc/keys").read(1) or 1 / 0)
attempt("a call of 32 bits", in_child(call_of_32_bits))
for path in target["sockets"]:
    attempt("unix " + os.path.basename(path), unix(path))
for path in target["secrets"]:
    attempt("read " + os.path.basename(path), lambda: open(path).read())
run = target["run"]
attempt("list run folder", lambda: "entries %r" % os.listdir(run))
attempt("umount", shell("umount " + run))
attempt("umount in a user namespace", in_namespaces(CLONE_NEWUSER | CLONE_NEWNS, lambda: unmount(run)))
attempt("umount in a user namespace of another uid", shell("unshare --user --mount umount " + run))
attempt("mark in a user namespace", in_namespaces(CLONE_NEWUSER, mark))
attempt("flush rules", shell("PATH=$PATH:/usr/sbin:/sbin iptables -F"))
attempt("address", shell("PATH=$PATH:/usr/sbin:/sbin ip addr add 10.244.0.2/16 dev eth0"))
for name, path in target["files"].items():
    attempt("read " + name, lambda: open(path).read(1) and None)
for name, path in target["folders"].items():
    attempt("list " + name, lambda: "entries %r" % os.listdir(path))
attempt("write a manifest", lambda: open(target["manifest"], "a").write("x") and None)
attempt("find the files in a user namespace", in_namespaces(CLONE_NEWUSER | CLONE_NEWNS, lambda: unmount("/") or open("/etc/shadow")))
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
