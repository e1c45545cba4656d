import { arch } from 'node:os';
import { EngineError, isDigest, isRecord } from '../base/index.ts';
import type { DiffId } from '../base/index.ts';
import { parsePlatform as parsePlatformSpec } from '../model/index.ts';
import type { HealthConfig, ImageConfigDocument, ImageConfigFields, ImageHistoryEntry, Platform } from '../model/index.ts';
import { isStringList, isStringMap, listAt, optionalString, parseJsonObject } from './json.ts';
import type { JsonObject } from './json.ts';
import { historyMax, layersMax } from './limits.ts';

const what = 'the image configuration';

function wrong(key: string, want: string): EngineError {
  return new EngineError('invalidArgument', `Cannot read ${what}: "${key}" is not ${want}`);
}

/** Reads an image configuration document (OCI image specification, "Image Configuration"). @throws invalidArgument */
export function parseImageConfig(bytes: Uint8Array): ImageConfigDocument {
  const document = parseJsonObject(bytes, what);
  const rootfs = document['rootfs'];
  if (!isRecord(rootfs)) throw wrong('rootfs', 'an object');
  if (rootfs['type'] !== 'layers') throw wrong('rootfs.type', '"layers"');
  const diffIds: DiffId[] = [];
  for (const id of listAt(rootfs, 'diff_ids', what, layersMax)) {
    if (typeof id !== 'string' || !isDigest(id)) throw wrong('rootfs.diff_ids', 'a list of sha256 digests');
    diffIds.push(id);
  }
  const config = document['config'];
  if (config !== undefined && config !== null && !isRecord(config)) throw wrong('config', 'an object');
  const history = listAt(document, 'history', what, historyMax).map(parseHistory);
  return {
    architecture: optionalString(document, 'architecture', what) ?? '',
    os: optionalString(document, 'os', what) ?? '',
    ...strings(document, ['variant', 'created', 'author', 'docker_version', 'comment']),
    ...(isRecord(config) ? { config: parseConfigFields(config) } : {}),
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...(history.length > 0 ? { history } : {}),
  };
}

function parseHistory(entry: unknown): ImageHistoryEntry {
  if (!isRecord(entry)) throw wrong('history', 'a list of objects');
  return {
    ...strings(entry, ['created', 'created_by', 'author', 'comment']),
    ...(entry['empty_layer'] === true ? { empty_layer: true } : {}),
  };
}

function strings<Key extends string>(object: JsonObject, keys: readonly Key[]): { [K in Key]?: string } {
  const found: { [K in Key]?: string } = {};
  for (const key of keys) {
    const value = optionalString(object, key, what);
    if (value !== undefined && value !== '') found[key] = value;
  }
  return found;
}

/** The `config` part: what containers inherit. Names of other engines' fields are left out. @throws invalidArgument */
function parseConfigFields(config: JsonObject): ImageConfigFields {
  const fields: ImageConfigFields = strings(config, ['User', 'WorkingDir', 'StopSignal']);
  for (const key of ['Env', 'Shell'] as const) {
    const value = listField(config, key);
    if (value) fields[key] = value;
  }
  for (const key of ['Entrypoint', 'Cmd', 'OnBuild'] as const) {
    const value = listField(config, key);
    if (value !== undefined) fields[key] = value;
  }
  for (const key of ['ExposedPorts', 'Volumes'] as const) {
    const value = config[key];
    if (value === undefined || value === null) continue;
    if (!isRecord(value)) throw wrong(`config.${key}`, 'an object');
    fields[key] = Object.fromEntries(Object.keys(value).map((name) => [name, {}]));
  }
  const labels = config['Labels'];
  if (labels !== undefined && labels !== null) {
    if (!isStringMap(labels)) throw wrong('config.Labels', 'an object of strings');
    fields.Labels = labels;
  }
  const health = config['Healthcheck'];
  if (isRecord(health)) fields.Healthcheck = parseHealth(health);
  if (config['ArgsEscaped'] === true) fields.ArgsEscaped = true;
  return fields;
}

function listField(config: JsonObject, key: string): string[] | null | undefined {
  const value = config[key];
  if (value === undefined || value === null) return value;
  if (!isStringList(value)) throw wrong(`config.${key}`, 'a list of strings');
  return value;
}

function parseHealth(health: JsonObject): HealthConfig {
  const parsed: HealthConfig = {};
  const test = health['Test'];
  if (isStringList(test)) parsed.Test = test;
  for (const key of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const) {
    const value = health[key];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw wrong(`config.Healthcheck.${key}`, 'a number');
    parsed[key] = value;
  }
  return parsed;
}

/** Go's name of this host's architecture (the names that image configurations use). */
export function hostPlatform(): Platform {
  const names: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
  return { os: 'linux', architecture: names[arch()] ?? arch() };
}

/** The platform that a configuration says it is for. */
export function platformOf({ os, architecture, variant }: ImageConfigDocument): Platform {
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** `os/arch[/variant]`, or one of them alone; empty: the host's. @throws invalidArgument */
export function parsePlatform(text: string): Platform {
  const host = hostPlatform();
  if (text === '') return host;
  const { variant, ...rest } = parsePlatformSpec(text, host.architecture);
  return { ...rest, ...(variant === undefined ? {} : { variant }) };
}
