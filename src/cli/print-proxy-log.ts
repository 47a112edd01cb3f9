import type { DecidersAnswer } from "../admin/index.ts";
import { MeshError } from "../model/error.ts";
import { connectClient } from "./client.ts";
import type { GlobalOptions } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { ProxyName } from "./find-proxy.ts";
import type { Io } from "./io.ts";
import { type AccessLine, proxyLogFile, readAccessLines, readKeptLog, renderAccessLine, toLineFilter } from "./proxy-log.ts";
import { whyItEnded } from "./refusal-words.ts";
import { painter } from "./render.ts";
import { followFile } from "./tail.ts";

export interface ProxyLogOptions extends Pick<GlobalOptions, "socket" | "dir"> {
  readonly follow?: boolean | undefined;
  readonly tail?: number | undefined;
  readonly failed?: boolean | undefined;
  readonly status?: string | undefined;
  readonly output?: string | undefined;
}

/** So much of a log is searched; it may be large. */
const SEARCHED_LINES = 50_000;
const BATCH = 500;

/** `kumiko logs WORKLOAD --proxy`: what its proxy passed on and refused. What hides or weakens the answer is said on standard error. */
export async function printProxyLog(state: string, proxy: ProxyName, options: ProxyLogOptions, io: Io): Promise<number> {
  const filter = toLineFilter(options.failed === true, options.status);
  const asker = new Asker(proxy, options, io);
  const paint = painter(io.stdout, io.environment);
  const print = async (lines: readonly AccessLine[]) => {
    const deciders = await asker.ask(lines);
    for (const [i, line] of lines.entries()) {
      const because = deciders[i] ?? [];
      if (options.output === "json") io.stdout.write(`${JSON.stringify({ ...line, why: whyItEnded(line), because })}\n`);
      else io.stdout.write(renderAccessLine(line, because, `${proxy.namespace}/${proxy.name}`, paint, io.cwd));
    }
  };
  const file = proxyLogFile(state, proxy);
  const { text, end } = readKeptLog(file, SEARCHED_LINES);
  const lines = readAccessLines(text, filter);
  await print(lastOf(lines, options.tail));
  if (lines.length === 0) asker.sayWhyEmpty();
  if (!options.follow) return EXIT.done;
  let rest = "";
  let printing = Promise.resolve();
  const add = (part: string) => {
    const whole = rest + part;
    const ready = whole.lastIndexOf("\n") + 1;
    rest = whole.slice(ready);
    const added = readAccessLines(whole.slice(0, ready), filter);
    if (added.length > 0) printing = printing.then(() => print(added));
  };
  await followFile(file, end, add, io.signal);
  await printing;
  return EXIT.done;
}

function lastOf<T>(all: readonly T[], count: number | undefined): readonly T[] {
  return count === undefined ? all : all.slice(Math.max(0, all.length - count));
}

/** Asks the control plane, which alone knows the configuration and where it is declared. Without it, lines are shown all the same. */
class Asker {
  readonly #path: string;
  readonly #options: ProxyLogOptions;
  readonly #io: Io;
  #accessLog: DecidersAnswer["accessLog"];
  #isFailureSaid = false;

  constructor({ namespace, name }: ProxyName, options: ProxyLogOptions, io: Io) {
    this.#path = `/kumiko/v1/proxies/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/deciders`;
    this.#options = options;
    this.#io = io;
  }

  /** Of each line which `file:line` decided; of no lines what the access log holds. */
  async ask(lines: readonly AccessLine[]): Promise<DecidersAnswer["items"]> {
    const items: DecidersAnswer["items"][number][] = [];
    try {
      const client = connectClient(this.#options, this.#io);
      for (let from = 0; from === 0 || from < lines.length; from += BATCH) {
        const answer = await client.post<DecidersAnswer>(this.#path, { lines: lines.slice(from, from + BATCH).map(toQuestion) });
        items.push(...answer.items);
        this.#accessLog = answer.accessLog;
      }
    } catch (thrown) {
      if (!this.#isFailureSaid) this.#io.stderr.write(`which file:line decided isn't known: ${MeshError.from(thrown).message}\n`);
      this.#isFailureSaid = true;
    }
    return items;
  }

  sayWhyEmpty(): void {
    this.#io.stderr.write(`${whyEmpty(this.#accessLog)}\n`);
  }
}

/** What Envoy itself says of how a line ended (`admin/log-lines.ts`). */
const OWN_FIELDS = [
  ...["status", "response_flags", "response_code_details", "connection_termination_details", "filter_chain", "route", "peer"],
  ...["upstream_cluster", "upstream_host", "upstream_transport_failure_reason", "downstream_transport_failure_reason"],
];

/** What the request said is nobody's business but the reader's, and may be long: of its method only that there is one. */
function toQuestion(line: AccessLine): object {
  const { authority, method } = line;
  return {
    ...Object.fromEntries(Object.entries(line).filter(([field]) => OWN_FIELDS.includes(field))),
    ...(method && { method: method.slice(0, MAX_METHOD) }),
    ...(authority != null && authority.length <= MAX_HOST && { authority }),
  };
}

const MAX_METHOD = 20;
const MAX_HOST = 255;
const STANDARD_STREAMS = ["/dev/stdout", "/dev/stderr"];

/** `accessLog` is undefined where the mesh could not be asked, null where it is off. */
function whyEmpty(accessLog: DecidersAnswer["accessLog"]): string {
  if (accessLog === null) return "the access log is off: MeshConfig says so by accessLogFile or the annotation kumiko.dev/access-log";
  if (accessLog !== undefined && !STANDARD_STREAMS.includes(accessLog.path))
    return `the access log is elsewhere: MeshConfig's accessLogFile is ${JSON.stringify(accessLog.path)}`;
  const what = accessLog?.lines === "errors" ? " (only what fails is logged; the annotation kumiko.dev/access-log: all changes that)" : "";
  return `no such line in the access log${what}`;
}
