import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { EngineError, errnoOf, isRecord, messageOf } from '../base/index.ts';
import type { OciHook, OciHooks } from '../runtime/index.ts';

/** Guide 1.3.10.3: "not above 10MB". */
const specBytesMax = 10 * 1024 * 1024;
/** Guide 4.3.2: seconds, whole. */
const timeoutMax = 120;
const hooksMax = 256;
const kinds = ['prestart', 'poststart', 'poststop'] as const;

function bad(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/**
 * Reads and checks a hook specification (`--hook-spec`, the daemon's `hook-spec`): every rule of guide 1.3.10.3 and 4.3.2.
 * @throws invalidArgument that names the file, the hook and the rule
 */
export function loadHooks(path: string): OciHooks {
  if (!path.startsWith('/')) throw bad(`Invalid hook spec ${JSON.stringify(path.slice(0, 200))}: the path must be absolute`);
  const text = readSpec(path);
  let decoded: unknown;
  try {
    decoded = JSON.parse(text);
  } catch (error) {
    throw bad(`Invalid hook spec ${path}: not JSON: ${messageOf(error)}`);
  }
  if (!isRecord(decoded)) throw bad(`Invalid hook spec ${path}: want a JSON object`);
  const hooks: OciHooks = {};
  let count = 0;
  for (const [name, list] of Object.entries(decoded)) {
    const kind = kinds.find((known) => known === name);
    if (kind === undefined) {
      throw bad(`Invalid hook spec ${path}: unknown kind of hook ${JSON.stringify(name.slice(0, 80))}, want prestart, poststart or poststop`);
    }
    if (list === null) continue;
    if (!Array.isArray(list)) throw bad(`Invalid hook spec ${path}: ${kind} must be a list`);
    count += list.length;
    if (count > hooksMax) throw bad(`Invalid hook spec ${path}: more than ${hooksMax} hooks`);
    hooks[kind] = list.map((hook: unknown, index) => checkHook(`Invalid hook spec ${path}: ${kind}[${index}]`, hook));
  }
  return hooks;
}

function readSpec(path: string): string {
  let fd: number;
  try {
    // Non-blocking: a pipe must not stop the daemon.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') throw bad(`Invalid hook spec ${path}: the file does not exist`);
    if (code === 'ELOOP') throw bad(`Invalid hook spec ${path}: it must be a regular file, not a symbolic link`);
    throw bad(`Invalid hook spec ${path}: ${messageOf(error)}`);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw bad(`Invalid hook spec ${path}: it must be a regular file`);
    if (stat.size > specBytesMax) throw bad(`Invalid hook spec ${path}: ${stat.size} bytes, larger than 10MB`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function stringsOf(where: string, name: string, value: unknown): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw bad(`${where}: ${name} must be a list of strings`);
  return value.map((one: unknown) => {
    if (typeof one !== 'string' || one.includes('\0')) throw bad(`${where}: ${name} must be a list of strings`);
    return one;
  });
}

/** One hook in the form of the OCI runtime specification. `where` begins the messages. */
function checkHook(where: string, value: unknown): OciHook {
  if (!isRecord(value)) throw bad(`${where}: want an object`);
  for (const name of Object.keys(value)) {
    if (!['path', 'args', 'env', 'timeout'].includes(name)) throw bad(`${where}: unknown field ${JSON.stringify(name.slice(0, 80))}`);
  }
  const path = value['path'];
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw bad(`${where}: path is required`);
  checkProgram(where, path);
  const args = stringsOf(where, 'args', value['args']);
  const env = stringsOf(where, 'env', value['env']);
  const wrong = env?.find((variable) => !/^[^=]+=/.test(variable));
  if (wrong !== undefined) throw bad(`${where}: env must be of the form NAME=VALUE, not ${JSON.stringify(wrong.slice(0, 80))}`);
  const timeout = value['timeout'];
  if (timeout !== undefined && timeout !== null) {
    if (typeof timeout !== 'number' || !Number.isInteger(timeout)) throw bad(`${where}: timeout must be a whole number of seconds`);
    if (timeout <= 0) throw bad(`${where}: timeout must be larger than 0`);
    if (timeout > timeoutMax) throw bad(`${where}: timeout must not be larger than ${timeoutMax} seconds`);
  }
  return {
    path, ...(args === undefined ? {} : { args }), ...(env === undefined ? {} : { env }), ...(typeof timeout === 'number' ? { timeout } : {}),
  };
}

/** A hook runs as root on the host: nobody else may be able to change it. */
function checkProgram(where: string, path: string): void {
  if (!path.startsWith('/')) throw bad(`${where}: path ${JSON.stringify(path.slice(0, 200))} must be absolute`);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw bad(`${where}: path ${path} does not exist`);
  if (!stat.isFile()) throw bad(`${where}: path ${path} is no regular file`);
  if (stat.uid !== 0) throw bad(`${where}: the owner of ${path} must be root`);
  if ((stat.mode & 0o022) !== 0) {
    throw bad(`${where}: only root may have write permission for ${path}, its mode is ${(stat.mode & 0o7777).toString(8).padStart(4, '0')}`);
  }
  if ((stat.mode & 0o111) === 0) throw bad(`${where}: ${path} is not executable`);
}

/** Both in order, those of the first before those of the second (guide 4.3.2: the daemon's first); undefined when there are none. */
export function mergeHooks(...sets: readonly (OciHooks | undefined)[]): OciHooks | undefined {
  const merged: OciHooks = {};
  for (const set of sets) {
    for (const kind of ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const) {
      const more = set?.[kind] ?? [];
      if (more.length > 0) merged[kind] = [...(merged[kind] ?? []), ...more];
    }
  }
  return Object.keys(merged).length > 0 ? merged : undefined;
}
