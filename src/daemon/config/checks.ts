import { isIP } from 'node:net';
import { isAbsolute, normalize } from 'node:path';
import { isRecord, logLevels, type LogLevel } from '../../base/index.ts';
import { checkUlimit, parseBytes, parseDuration, parseUlimit, type Ulimit } from '../../model/index.ts';
import type { HostAddress, RuntimeEntry } from './config.ts';
import { entriesOf, stringOf, wanted } from './kinds.ts';

const maxHosts = 10;
/** sockaddr_un.sun_path without its ending NUL. */
const maxSocketPathBytes = 107;

/** `-H` (guide 1.2.3.4). */
export function parseHosts(values: readonly string[]): HostAddress[] {
  if (values.length > maxHosts) throw wanted(`at most ${maxHosts} hosts`);
  return values.map(parseHost);
}

function parseHost(text: string): HostAddress {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (!isAbsolute(path) || path.endsWith('/')) throw wanted('unix:// and the absolute path of a socket');
    if (Buffer.byteLength(path) > maxSocketPathBytes) throw wanted(`a socket path of at most ${maxSocketPathBytes} bytes`);
    return { kind: 'unix', path: normalize(path), text };
  }
  const tcp = /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^:/[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = tcp?.[1] ?? tcp?.[2] ?? '';
  const port = Number(tcp?.[3] ?? 'NaN');
  const isHost = tcp?.[1] === undefined ? host === 'localhost' || isIP(host) === 4 : isIP(host) === 6;
  if (!tcp || !isHost || port > 65535) throw wanted('unix:///path or tcp://IP:port (localhost may stand for the IP, the port is 0 to 65535)');
  return { kind: 'tcp', host, port, text };
}

export function absolutePath(value: string): string {
  if (!isAbsolute(value)) throw wanted('an absolute path');
  const path = normalize(value);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** An absolute path that is not `/`: a root directory that is ours alone. */
export function rootDirectory(value: string): string {
  const path = absolutePath(value);
  if (path === '/') throw wanted('a directory other than /');
  return path;
}

export function oneOf<Choice extends string>(value: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw wanted(choices.length === 1 ? `${choices[0]}` : `one of ${choices.map((choice) => choice || '""').join(', ')}`);
  return found;
}

export function logLevel(value: string): LogLevel {
  return oneOf(value.toUpperCase(), logLevels);
}

export function octalMode(value: string): number {
  if (!/^0?[0-7]{3}$/.test(value)) throw wanted('an octal file mode such as 0600');
  return Number.parseInt(value, 8);
}

export function countBetween(value: string, low: number, high: number): number {
  if (!/^[0-9]{1,9}$/.test(value) || Number(value) < low || Number(value) > high) throw wanted(`a whole number from ${low} to ${high}`);
  return Number(value);
}

export function portBetween(value: number, low: number, high: number): number {
  if (value < low || value > high) throw wanted(`a port from ${low} to ${high}`);
  return value;
}

/** A cgroup path, with a leading slash; `lxc/mycgroup` and `/lxc/mycgroup` are the same. */
export function cgroupPath(value: string): string {
  const parts = value.split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.some((part) => part === '.' || part === '..' || !/^[\w.@:-]{1,255}$/.test(part))) {
    throw wanted('a cgroup path such as /lxc/mycgroup');
  }
  return `/${parts.join('/')}`;
}

/** `nofile=1024:2048`, or `nofile=1024` for both. */
export function ulimitsFromFlags(values: readonly string[]): Ulimit[] {
  const ulimits = values.map(parseUlimit);
  const twice = ulimits.find(({ Name }, index) => ulimits.findIndex((other) => other.Name === Name) !== index);
  if (twice) throw wanted(`each ulimit once: ${twice.Name} is given twice`);
  return ulimits;
}

/** `{"nofile": {"Name": "nofile", "Hard": 6400, "Soft": 3200}}`; a missing number is 0, both names must agree. */
export function ulimitsFromJson(value: unknown): Ulimit[] {
  return entriesOf(value).map(([key, item]) => {
    if (!isRecord(item)) throw wanted(`an object for ${JSON.stringify(key)}`);
    const known = ['Name', 'Hard', 'Soft'];
    const stray = Object.keys(item).find((name) => !known.includes(name));
    if (stray !== undefined) throw wanted(`Name, Hard and Soft for ${JSON.stringify(key)}, not ${JSON.stringify(stray)}`);
    if (item['Name'] !== key) throw wanted(`the Name of ${JSON.stringify(key)} to be the same: ${JSON.stringify(item['Name'])}`);
    return checkUlimit({ Name: key, Soft: limitOf(key, 'Soft', item['Soft']), Hard: limitOf(key, 'Hard', item['Hard']) });
  });
}

function limitOf(name: string, which: string, value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < -1) throw wanted(`a whole number for ${which} of ${JSON.stringify(name)}`);
  return value;
}

const runtimeName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export function runtimeNameOf(value: string): string {
  if (!runtimeName.test(value)) throw wanted('the name of a runtime');
  return value;
}

export function runtimesFromJson(value: unknown): Record<string, RuntimeEntry> {
  return Object.fromEntries(entriesOf(value).map(([name, item]) => {
    if (!runtimeName.test(name)) throw wanted(`names of runtimes, not ${JSON.stringify(name)}`);
    if (!isRecord(item)) throw wanted(`an object for ${JSON.stringify(name)}`);
    const stray = Object.keys(item).find((key) => key !== 'path' && key !== 'runtime-args');
    if (stray !== undefined) throw wanted(`path and runtime-args for ${JSON.stringify(name)}, not ${JSON.stringify(stray)}`);
    const path = stringOf(item['path'] ?? '');
    if (!isAbsolute(path)) throw wanted(`an absolute path for ${JSON.stringify(name)}, not ${JSON.stringify(path)}`);
    const args = item['runtime-args'] ?? [];
    if (!Array.isArray(args)) throw wanted(`a list of strings for runtime-args of ${JSON.stringify(name)}`);
    return [name, { path, args: args.map(stringOf) }];
  }));
}

/** A registry: `docker.io`, `https://mirror.example:5000`, `10.0.0.0/8` for `insecure-registries`. */
export function registries(values: readonly string[]): string[] {
  for (const value of values) {
    if (!/^(?:https?:\/\/)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:\/[\w./-]*)?$/.test(value)) {
      throw wanted(`registries such as docker.io or https://mirror.example:5000, not ${JSON.stringify(value)}`);
    }
  }
  return [...values];
}

/** Mirrors: a registry that stands for the default host, or `HOST=REGISTRY` for that of another. */
export function mirrors(values: readonly string[]): string[] {
  for (const value of values) {
    const [, host, target = value] = /^([^=]*)=(.*)$/.exec(value) ?? [];
    registries(host === undefined ? [target] : [host, target]);
  }
  return [...values];
}

const maxDurationMs = 7 * 24 * 3_600_000;

/** A duration such as `2m` or `1m30s`, more than 0 and at most a week. Milliseconds. */
export function durationMs(value: string): number {
  const ms = Math.round(parseDuration(value) / 1e6);
  if (ms < 1 || ms > maxDurationMs) throw wanted('a duration from 1ms to 168h, such as 2m or 1m30s');
  return ms;
}

/** A size such as `30KB`, in bytes and not less than `low`. */
export function sizeBytes(value: string, low: number): number {
  const bytes = parseBytes(value);
  if (bytes < low) throw wanted(`a size of at least ${low} bytes`);
  return bytes;
}
