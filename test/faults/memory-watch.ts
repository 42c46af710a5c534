// Watches how much memory the processes of a system take, as the kernel counts it.
import { readdirSync, readFileSync } from "node:fs";
import type { ServiceName } from "#shared/broker/topology.ts";
import { SERVICES } from "#shared/broker/topology.ts";
import type { System } from "#test/support/system.ts";

const MB = 1_024;

/** A field of a file of /proc that counts in kB, in MB. */
function field(file: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(file, "utf8"))?.[1];
  return Math.round(Number(found ?? 0) / MB);
}

export interface MemoryRow {
  process: string;
  /** Resident set: now, and the most that it ever was (VmHWM). */
  nowMb: number;
  mostMb: number;
  /** With shared pages divided among those who share them. */
  proportionalMb: number;
}

function rowOf(name: string, pid: number): MemoryRow {
  return {
    process: name,
    nowMb: field(`/proc/${pid}/status`, "VmRSS"),
    mostMb: field(`/proc/${pid}/status`, "VmHWM"),
    proportionalMb: field(`/proc/${pid}/smaps_rollup`, "Pss"),
  };
}

export function memoryOf(system: System): MemoryRow[] {
  return SERVICES.map((service: ServiceName) => rowOf(service, system.process(service).pid));
}

/** RabbitMQ and MongoDB: not of Waypost, shown beside it. */
export function memoryOfServers(directory: string): MemoryRow[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
        if (!command.includes(directory)) return [];
        if (/beam\.smp/.test(command)) return [rowOf("RabbitMQ", Number(name))];
        return /mongod/.test(command) ? [rowOf("MongoDB", Number(name))] : [];
      } catch {
        return [];
      }
    });
}
