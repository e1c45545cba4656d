import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf, isRecord, messageOf, type Logger } from '../base/index.ts';
import { isCdiName, propagations, type DeviceMapping } from '../model/index.ts';
import type { OciHook, OciHooks, ResolvedMount } from '../runtime/index.ts';

/** Where specifications stand (CDI specification, "CDI configuration"); those of a later directory go before. */
const cdiDirectories = ['/etc/cdi', '/var/run/cdi'];
const specFilesMax = 256;
const specBytesMax = 1024 * 1024;

/** What CDI devices change in a container (CDI specification 0.8, `containerEdits`). */
export interface CdiEdits {
  readonly env: string[];
  readonly devices: DeviceMapping[];
  readonly mounts: ResolvedMount[];
  readonly hooks: OciHooks;
  readonly additionalGids: number[];
}

type Json = Record<string, unknown>;

interface CdiSpec {
  readonly path: string;
  /** Index of its directory: the higher goes before. */
  readonly priority: number;
  readonly kind: string;
  readonly edits: Json;
  readonly devices: ReadonlyMap<string, Json>;
}

/**
 * What the named devices (`vendor.com/class=name`) come to, in their order. A damaged specification is reported and matters
 * only for its own devices.
 * @throws invalidArgument for a name that no specification defines, or that two of one directory do
 */
export function resolveCdi(names: readonly string[], logger: Logger, directories: readonly string[] = cdiDirectories): CdiEdits {
  const result: CdiEdits = { env: [], devices: [], mounts: [], hooks: {}, additionalGids: [] };
  if (names.length === 0) return result;
  const specs = readSpecs(directories, logger);
  const applied = new Set<CdiSpec>();
  const unknown = names.filter((name) => find(specs, name).length === 0);
  if (unknown.length > 0) throw bad(`CDI device injection failed: unresolvable CDI devices ${unknown.map((name) => name.slice(0, 200)).join(', ')}`);
  for (const name of new Set(names)) {
    const found = find(specs, name);
    const best = Math.max(...found.map((spec) => spec.priority));
    const [spec, rival] = found.filter((one) => one.priority === best);
    if (spec === undefined) continue;
    if (rival !== undefined) throw bad(`CDI device injection failed: conflicting device ${name} (specs ${spec.path}, ${rival.path})`);
    if (!applied.has(spec)) apply(result, spec.edits, spec.path);
    applied.add(spec);
    apply(result, editsOf(spec.devices.get(name.slice(name.indexOf('=') + 1))), spec.path);
  }
  return result;
}

function bad(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

function find(specs: readonly CdiSpec[], name: string): CdiSpec[] {
  if (!isCdiName(name)) {
    throw bad(`CDI device injection failed: ${JSON.stringify(name.slice(0, 200))} is no qualified name, want vendor.com/class=name`);
  }
  const cut = name.indexOf('=');
  return specs.filter((spec) => spec.kind === name.slice(0, cut) && spec.devices.has(name.slice(cut + 1)));
}

function readSpecs(directories: readonly string[], logger: Logger): CdiSpec[] {
  const specs: CdiSpec[] = [];
  for (const [priority, directory] of directories.entries()) {
    let files: string[];
    try {
      files = readdirSync(directory).filter((name) => /\.(?:json|ya?ml)$/.test(name)).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') continue;
      throw error;
    }
    for (const name of files) {
      if (specs.length >= specFilesMax) throw bad(`CDI device injection failed: more than ${specFilesMax} specifications`);
      const path = join(directory, name);
      try {
        specs.push(readSpec(path, priority));
      } catch (error) {
        logger.warn(`Cannot use CDI specification ${path}: ${messageOf(error)}`);
      }
    }
  }
  return specs;
}

function readSpec(path: string, priority: number): CdiSpec {
  const stat = statSync(path);
  if (!stat.isFile() || stat.size > specBytesMax) throw bad(`it is no regular file of at most ${specBytesMax} bytes`);
  const text = readFileSync(path, 'utf8');
  const decoded: unknown = path.endsWith('.json') ? JSON.parse(text) : Bun.YAML.parse(text);
  if (!isRecord(decoded)) throw bad('want an object');
  const { kind, devices: list, cdiVersion } = decoded;
  if (typeof cdiVersion !== 'string') throw bad('cdiVersion is missing');
  if (typeof kind !== 'string' || !isCdiName(`${kind}=x`)) throw bad('kind must be of the form vendor.com/class');
  if (!Array.isArray(list) || list.length === 0) throw bad('devices is missing');
  const devices = new Map<string, Json>();
  for (const device of list) {
    if (!isRecord(device) || typeof device['name'] !== 'string' || !isCdiName(`${kind}=${device['name']}`)) throw bad('a device has no valid name');
    if (devices.has(device['name'])) throw bad(`device ${device['name']} is defined twice`);
    devices.set(device['name'], device);
  }
  return { path, priority, kind, edits: editsOf(decoded), devices };
}

function editsOf(owner: Json | undefined): Json {
  const edits = owner?.['containerEdits'];
  return isRecord(edits) ? edits : {};
}

/** The objects of a list that may be absent. */
function objects(edits: Json, name: string, path: string): Json[] {
  const list = edits[name] ?? [];
  if (!Array.isArray(list)) throw bad(`Invalid CDI specification ${path}: ${name} must be a list`);
  return list.map((one: unknown) => {
    if (!isRecord(one)) throw bad(`Invalid CDI specification ${path}: ${name} must hold objects`);
    return one;
  });
}

function strings(owner: Json, name: string, path: string): string[] {
  const list = owner[name] ?? [];
  if (!Array.isArray(list)) throw bad(`Invalid CDI specification ${path}: ${name} must be a list`);
  return list.map((one: unknown) => {
    if (typeof one !== 'string' || one.includes('\0')) throw bad(`Invalid CDI specification ${path}: ${name} must hold strings`);
    return one;
  });
}

function textOf(owner: Json, name: string, path: string): string {
  const value = owner[name];
  if (typeof value !== 'string' || value === '' || value.includes('\0')) throw bad(`Invalid CDI specification ${path}: ${name} is missing`);
  return value;
}

const knownEdits: ReadonlySet<string> = new Set(['env', 'deviceNodes', 'mounts', 'hooks', 'additionalGIDs', 'additionalGids']);

function apply(result: CdiEdits, edits: Json, path: string): void {
  const strange = Object.keys(edits).find((name) => !knownEdits.has(name));
  if (strange !== undefined) {
    throw new EngineError('unsupported', `Cannot use CDI specification ${path}: ${JSON.stringify(strange.slice(0, 80))} is not supported`);
  }
  for (const variable of strings(edits, 'env', path)) {
    if (!/^[^=]+=/.test(variable)) throw bad(`Invalid CDI specification ${path}: env must be of the form NAME=VALUE`);
    result.env.push(variable);
  }
  for (const node of objects(edits, 'deviceNodes', path)) result.devices.push(deviceOf(node, path));
  for (const mount of objects(edits, 'mounts', path)) result.mounts.push(mountOf(mount, path));
  for (const hook of objects(edits, 'hooks', path)) addHook(result.hooks, hook, path);
  for (const gid of [edits['additionalGIDs'] ?? edits['additionalGids'] ?? []].flat()) {
    if (typeof gid !== 'number' || !Number.isInteger(gid) || gid <= 0) {
      throw bad(`Invalid CDI specification ${path}: additionalGIDs must hold group ids`);
    }
    result.additionalGids.push(gid);
  }
}

function mountOf(mount: Json, path: string): ResolvedMount {
  const type = mount['type'] ?? 'bind';
  if (type !== 'bind' && type !== 'tmpfs') {
    throw new EngineError('unsupported', `Cannot use CDI specification ${path}: mounts of type ${String(type)} are not supported`);
  }
  const given = strings(mount, 'options', path);
  const isPropagation = (option: string): boolean => propagations.some((known) => known === option);
  return {
    type,
    source: type === 'bind' ? textOf(mount, 'hostPath', path) : '',
    target: textOf(mount, 'containerPath', path),
    readOnly: given.includes('ro'),
    propagation: given.find(isPropagation) ?? '', options: given.filter((option) => option !== 'ro' && option !== 'rw' && !isPropagation(option)),
  };
}

function deviceOf(node: Json, path: string): DeviceMapping {
  const target = textOf(node, 'path', path);
  const source = node['hostPath'] === undefined ? target : textOf(node, 'hostPath', path);
  const permissions = node['permissions'] ?? '';
  if (typeof permissions !== 'string' || !/^[rwm]{0,3}$/.test(permissions)) {
    throw bad(`Invalid CDI specification ${path}: permissions of ${target} must be letters of rwm`);
  }
  // The node's own numbers and owner are what the container gets.
  const fixed = ['uid', 'gid', 'fileMode'].find((name) => node[name] !== undefined);
  if (fixed !== undefined) {
    throw new EngineError('unsupported', `Cannot use CDI specification ${path}: ${fixed} of device ${target} is not supported`);
  }
  if (statSync(source, { throwIfNoEntry: false }) === undefined) {
    throw bad(`CDI device injection failed: ${source} (of ${path}) does not exist on this host`);
  }
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: permissions === '' ? 'rwm' : permissions };
}

const hookKinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;

function addHook(hooks: OciHooks, hook: Json, path: string): void {
  const name = textOf(hook, 'hookName', path);
  const kind = hookKinds.find((known) => known === name);
  if (kind === undefined) throw bad(`Invalid CDI specification ${path}: unknown hook ${JSON.stringify(name.slice(0, 80))}`);
  const program = textOf(hook, 'path', path);
  if (!program.startsWith('/')) throw bad(`Invalid CDI specification ${path}: the path of a hook must be absolute`);
  const { timeout } = hook;
  if (timeout !== undefined && (typeof timeout !== 'number' || !Number.isInteger(timeout) || timeout <= 0)) {
    throw bad(`Invalid CDI specification ${path}: the timeout of a hook must be larger than 0`);
  }
  const [args, env] = [strings(hook, 'args', path), strings(hook, 'env', path)];
  const added: OciHook = { path: program, args, env, ...(typeof timeout === 'number' ? { timeout } : {}) };
  hooks[kind] = [...(hooks[kind] ?? []), added];
}
