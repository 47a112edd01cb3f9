import { describe, expect, test } from "vitest";
import { syscallFilter } from "./syscall-filter.ts";

/** `struct seccomp_data`, as far as a filter may read it. */
interface Call {
  readonly number: number;
  readonly architecture: number;
  readonly argument?: number;
}

const ALLOWED = 0x7fff0000;
const KILLED = 0x80000000;
const NO_SUCH_CALL = 0x00050000 + 38;
const NO_SUCH_FAMILY = 0x00050000 + 97;

const X86_64 = 0xc000003e;
const I386 = 0x40000003;
const AARCH64 = 0xc00000b7;
const ARM = 0x40000028;

describe("syscallFilter", () => {
  test.each<[string, string, Call, number]>([
    ["x64", "a call that has nothing to do with it", { number: 0, architecture: X86_64 }, ALLOWED],
    ["x64", "socket(AF_UNIX)", { number: 41, architecture: X86_64, argument: 1 }, ALLOWED],
    ["x64", "socket(AF_INET)", { number: 41, architecture: X86_64, argument: 2 }, ALLOWED],
    ["x64", "socket(AF_INET6)", { number: 41, architecture: X86_64, argument: 10 }, ALLOWED],
    ["x64", "socket(AF_NETLINK)", { number: 41, architecture: X86_64, argument: 16 }, ALLOWED],
    ["x64", "socket(AF_PACKET)", { number: 41, architecture: X86_64, argument: 17 }, NO_SUCH_FAMILY],
    ["x64", "socket(AF_ALG)", { number: 41, architecture: X86_64, argument: 38 }, NO_SUCH_FAMILY],
    ["x64", "socket(AF_VSOCK)", { number: 41, architecture: X86_64, argument: 40 }, NO_SUCH_FAMILY],
    ["x64", "socket(AF_QIPCRTR)", { number: 41, architecture: X86_64, argument: 42 }, NO_SUCH_FAMILY],
    ["x64", "socketpair(AF_UNIX)", { number: 53, architecture: X86_64, argument: 1 }, ALLOWED],
    ["x64", "socketpair(AF_TIPC)", { number: 53, architecture: X86_64, argument: 30 }, NO_SUCH_FAMILY],
    ["x64", "connect, whose argument is no family", { number: 42, architecture: X86_64, argument: 40 }, ALLOWED],
    ["x64", "add_key", { number: 248, architecture: X86_64 }, NO_SUCH_CALL],
    ["x64", "request_key", { number: 249, architecture: X86_64 }, NO_SUCH_CALL],
    ["x64", "keyctl", { number: 250, architecture: X86_64 }, NO_SUCH_CALL],
    ["x64", "io_uring_setup", { number: 425, architecture: X86_64 }, NO_SUCH_CALL],
    ["x64", "io_uring_enter", { number: 426, architecture: X86_64 }, NO_SUCH_CALL],
    ["x64", "io_uring_register", { number: 427, architecture: X86_64 }, NO_SUCH_CALL],
    ["x64", "x32's socket(AF_VSOCK)", { number: 0x40000029, architecture: X86_64, argument: 40 }, NO_SUCH_CALL],
    ["x64", "no call at all, as a tracer asks for", { number: 0xffffffff, architecture: X86_64 }, NO_SUCH_CALL],
    ["x64", "i386's socketcall", { number: 102, architecture: I386, argument: 1 }, KILLED],
    ["arm64", "a call that has nothing to do with it", { number: 63, architecture: AARCH64 }, ALLOWED],
    ["arm64", "socket(AF_INET)", { number: 198, architecture: AARCH64, argument: 2 }, ALLOWED],
    ["arm64", "socket(AF_VSOCK)", { number: 198, architecture: AARCH64, argument: 40 }, NO_SUCH_FAMILY],
    ["arm64", "socketpair(AF_TIPC)", { number: 199, architecture: AARCH64, argument: 30 }, NO_SUCH_FAMILY],
    ["arm64", "keyctl", { number: 219, architecture: AARCH64 }, NO_SUCH_CALL],
    ["arm64", "io_uring_setup", { number: 425, architecture: AARCH64 }, NO_SUCH_CALL],
    ["arm64", "a call of 32 bits", { number: 281, architecture: ARM, argument: 40 }, KILLED],
  ])("%s: %s", (architecture, _, call, answer) => {
    const program = syscallFilter(architecture)?.program ?? Buffer.alloc(0);
    expect(run(program, call).toString(16)).toBe(answer.toString(16));
  });

  test("a family with bits above those that the kernel takes is the one that the kernel sees", () => {
    const program = syscallFilter("x64")?.program ?? Buffer.alloc(0);
    expect(run(program, { number: 41, architecture: X86_64, argument: 40 }, 0xffffffff)).toBe(NO_SUCH_FAMILY);
  });

  test("an architecture whose numbers aren't known has none", () => {
    expect(syscallFilter("riscv64")).toBeUndefined();
    expect(syscallFilter("constructor")).toBeUndefined();
  });
});

/** The kernel's classic BPF machine, as far as the filter uses it. */
function run(program: Buffer, { number, architecture, argument = 0 }: Call, upperHalf = 0): number {
  const data = new Map([
    [0, number],
    [4, architecture],
    [16, argument],
    [20, upperHalf],
  ]);
  let word = 0;
  for (let at = 0; at < program.length; at += 8) {
    const operand = program.readUInt32LE(at + 4);
    const skip = (holds: boolean) => (at += 8 * program.readUInt8(at + (holds ? 2 : 3)));
    switch (program.readUInt16LE(at)) {
      case 0x20:
        word = data.get(operand) ?? Number.NaN;
        break;
      case 0x15:
        skip(word === operand);
        break;
      case 0x35:
        skip(word >= operand);
        break;
      case 0x06:
        return operand;
      default:
        throw new Error(`instruction ${at / 8} is none of the filter's`);
    }
  }
  throw new Error("the program has no end");
}
