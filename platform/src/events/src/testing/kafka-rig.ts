import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@platform/setup/testing";
import { KafkaBroker } from "../kafka/kafka-broker.ts";
import { provisionTopic } from "../kafka/options.ts";
import { type Child, outputOf, startChild, untilUp } from "./child.ts";
import { type Missing, noLog, type Rig } from "./rig.ts";

const JAVA = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=ERROR", "-Dlog4j.rootLogger=ERROR"];

/** A Kafka of one node in KRaft mode, from Maven's packages. */
export async function startKafka(): Promise<Rig | Missing> {
  if ((await outputOf("java", ["-version"], 20_000)) === undefined) return { missing: "no java (17 or newer)" };
  const folder = mkdtempSync(join(tmpdir(), "platform-kafka-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const classpath = await findClasspath(folder);
  if (classpath === undefined) {
    remove();
    return { missing: "no Maven, or Maven can't get org.apache.kafka:kafka_2.13" };
  }
  try {
    return await start(folder, classpath, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

async function findClasspath(folder: string): Promise<string | undefined> {
  const [pom, list] = [join(import.meta.dirname, "kafka-pom.xml"), join(folder, "classpath")];
  const args = (offline: readonly string[]) => [
    ...offline,
    "-q",
    "-B",
    "-f",
    pom,
    "dependency:build-classpath",
    `-Dmdep.outputFile=${list}`,
  ];
  const done = (await outputOf("mvn", args(["-o"]), 60_000)) ?? (await outputOf("mvn", args([]), 300_000));
  return done === undefined ? undefined : readFileSync(list, "utf8").trim();
}

async function start(folder: string, classpath: string, remove: () => void): Promise<Rig> {
  const [port, controllerPort] = [await freePort(), await freePort()];
  const properties = join(folder, "server.properties");
  writeFileSync(properties, toProperties(folder, port, controllerPort));
  const java = (main: string, ...args: readonly string[]) => startChild("java", [...JAVA, "-cp", classpath, main, ...args]);
  const format = java("kafka.tools.StorageTool", "format", "-t", randomUUID().replaceAll("-", "").slice(0, 22), "-c", properties);
  await untilEnded(format);
  const url = `kafka://127.0.0.1:${port}`;
  const admin = { url, name: "provision" };
  const startNode = async (): Promise<Child> => {
    const child = java("kafka.Kafka", properties);
    await untilUp(child, 60_000, async () => {
      await provisionTopic(admin, { partitions: 4, replicas: 1 });
      return true;
    });
    return child;
  };
  let node = await startNode();
  return {
    open: (name) => new KafkaBroker({ url, name, log: noLog }),
    provision: async () => undefined,
    outage: {
      kill: () => node.end("SIGKILL"),
      async restart() {
        node = await startNode();
      },
    },
    async stop() {
      await node.end("SIGKILL");
      remove();
    },
  };
}

async function untilEnded(child: Child): Promise<void> {
  await untilUp(child, 60_000, async () => !child.isRunning()).catch((error: unknown) => {
    if (child.isRunning()) throw error;
  });
}

function toProperties(folder: string, port: number, controllerPort: number): string {
  const settings = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(folder, "data"),
    "num.partitions": 4,
    "offsets.topic.num.partitions": 4,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": false,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
