/**
 * What namespaces don't hold, a filter of system calls refuses: a program for the kernel's classic BPF machine, as seccomp(2) takes it. It reads
 * `struct seccomp_data`: the call's number, the architecture in whose table that number stands, and its arguments.
 */

export interface SyscallFilter {
  /** Instructions of eight bytes each. */
  readonly program: Buffer;
  /** Numbers of the calls that set it. */
  readonly prctl: number;
  readonly seccomp: number;
}

/** Numbers of one architecture's table (the kernel's `unistd.h`). */
interface CallTable {
  /** As `AUDIT_ARCH_…` of the kernel's `audit.h` names it. */
  readonly architecture: number;
  /** `socket` and `socketpair`, whose first argument is the family. */
  readonly sockets: readonly number[];
  /** `add_key`, `request_key` and `keyctl`: keyrings go with the user's session, which no namespace ends. */
  readonly keys: readonly number[];
  /** From here on numbers belong to another table of the same architecture, x32, which has its own `socket`. */
  readonly end?: number;
  readonly prctl: number;
  readonly seccomp: number;
}

const TABLES: Readonly<Record<string, CallTable>> = {
  x64: { architecture: 0xc000_003e, sockets: [41, 53], keys: [248, 249, 250], end: 0x4000_0000, prctl: 157, seccomp: 317 },
  arm64: { architecture: 0xc000_00b7, sockets: [198, 199], keys: [217, 218, 219], prctl: 167, seccomp: 277 },
};

/** `io_uring_setup`, `_enter` and `_register`, the same everywhere: they open sockets without the calls that a filter sees. */
const IO_URING = [425, 426, 427];

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: what programs need, and what a network namespace holds. AF_VSOCK, for one, leads out of it. */
const FAMILIES = [1, 2, 10, 16];

const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;

const ALLOW = 0x7fff_0000;
/** SIGSYS: a call through another architecture's table, where other numbers mean `socket`. */
const KILL = 0x8000_0000;
const refuse = (errno: number) => 0x0005_0000 | errno;
const NO_SUCH_CALL = refuse(38);
const NO_SUCH_FAMILY = refuse(97);

type Label = "native" | "socket" | "open" | "missing";
type Line =
  | { readonly at: Label }
  | { readonly load: number }
  | { readonly equals: number; readonly goto: Label }
  | { readonly atLeast: number; readonly goto: Label }
  | { readonly answer: number };

/** The filter for an architecture as Node names it; undefined where its table isn't known here. */
export function syscallFilter(architecture: string = process.arch): SyscallFilter | undefined {
  const table = Object.hasOwn(TABLES, architecture) ? TABLES[architecture] : undefined;
  return table && { program: assemble(linesFor(table)), prctl: table.prctl, seccomp: table.seccomp };
}

function linesFor({ architecture, sockets, keys, end }: CallTable): readonly Line[] {
  const whenOneOf = (values: readonly number[], goto: Label): readonly Line[] => values.map((equals) => ({ equals, goto }));
  return [
    { load: ARCHITECTURE },
    { equals: architecture, goto: "native" },
    { answer: KILL },
    { at: "native" },
    { load: NUMBER },
    ...(end === undefined ? [] : [{ atLeast: end, goto: "missing" } as const]),
    ...whenOneOf(sockets, "socket"),
    ...whenOneOf([...keys, ...IO_URING], "missing"),
    { answer: ALLOW },
    { at: "socket" },
    // Its lower half alone, as the kernel takes it; both architectures are little-endian.
    { load: FIRST_ARGUMENT },
    ...whenOneOf(FAMILIES, "open"),
    { answer: NO_SUCH_FAMILY },
    { at: "open" },
    { answer: ALLOW },
    { at: "missing" },
    { answer: NO_SUCH_CALL },
  ];
}

const [LOAD_WORD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN] = [0x20, 0x15, 0x35, 0x06];

/** Eight bytes an instruction: operation, how many to skip when true, how many when false, operand. Jumps lead forwards only. */
function assemble(lines: readonly Line[]): Buffer {
  const places = new Map<Label, number>();
  const instructions: Exclude<Line, { at: Label }>[] = [];
  for (const line of lines) {
    if ("at" in line) places.set(line.at, instructions.length);
    else instructions.push(line);
  }
  const encoded = instructions.map((line, i) => {
    if ("load" in line) return encode(LOAD_WORD, line.load);
    if ("answer" in line) return encode(RETURN, line.answer);
    const skipped = (places.get(line.goto) ?? Number.NaN) - i - 1;
    return "equals" in line ? encode(JUMP_IF_EQUAL, line.equals, skipped) : encode(JUMP_IF_AT_LEAST, line.atLeast, skipped);
  });
  return Buffer.concat(encoded);
}

function encode(operation: number, operand: number, whenTrue = 0): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(operation, 0);
  bytes.writeUInt8(whenTrue, 2);
  bytes.writeUInt32LE(operand, 4);
  return bytes;
}
