import { readFileSync } from 'node:fs';
import { EngineError, errnoOf, type IdMap, type IdMaps } from '../base/index.ts';

/** Docker's name of the user that `default` stands for. */
const defaultUser = 'dockremap';
/** The kernel takes 340 lines of a map. */
const rangesMax = 340;

/** Where users and their ranges stand; tests have their own. */
export interface IdFiles {
  passwd: string;
  group: string;
  subuid: string;
  subgid: string;
}

/** The host's files. */
export function readIdFiles(): IdFiles {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return '';
      throw error;
    }
  };
  return { passwd: read('/etc/passwd'), group: read('/etc/group'), subuid: read('/etc/subuid'), subgid: read('/etc/subgid') };
}

/**
 * The id maps of `userns-remap`: `default`, or `user[:group]` by name or number. The ranges of subuid(5) and subgid(5) make up
 * the container's ids from 0 on, in the order in which they stand there.
 * @throws invalidArgument for a user that does not exist or has no ranges
 */
export function resolveUsernsRemap(text: string, files: IdFiles): IdMaps {
  const [userPart = '', groupPart, ...more] = text.split(':');
  if (userPart === '' || groupPart === '' || more.length > 0) throw bad(text, 'want default, or user[:group] by name or number');
  const wanted = userPart === 'default' && groupPart === undefined ? defaultUser : userPart;
  const user = find(files.passwd, wanted);
  if (user === undefined) throw bad(text, `there is no user ${wanted}`);
  const group = find(files.group, groupPart ?? user.name);
  if (group === undefined) throw bad(text, `there is no group ${groupPart ?? user.name}`);
  return { uid: rangesOf(text, files.subuid, user, '/etc/subuid'), gid: rangesOf(text, files.subgid, group, '/etc/subgid') };
}

function bad(text: string, why: string): EngineError {
  return new EngineError('invalidArgument', `Cannot use userns-remap ${JSON.stringify(text.slice(0, 200))}: ${why}`);
}

interface Entry {
  name: string;
  id: string;
}

/** A line `name:password:id:…` by its name or its number. */
function find(file: string, wanted: string): Entry | undefined {
  const entries = file.split('\n').map((line) => line.split(':')).map(([name = '', , id = '']) => ({ name, id }));
  return entries.find(({ name }) => name === wanted) ?? (/^\d+$/.test(wanted) ? entries.find(({ id }) => id === wanted) : undefined);
}

/** Lines `name:start:count`. */
function rangesOf(text: string, file: string, { name, id }: Entry, path: string): IdMap[] {
  const maps: IdMap[] = [];
  let next = 0;
  for (const line of file.split('\n')) {
    const [owner = '', start = '', count = ''] = line.trim().split(':');
    if (owner !== name && owner !== id) continue;
    const [hostID, size] = [Number(start), Number(count)];
    if (!/^\d{1,10}$/.test(start) || !/^\d{1,10}$/.test(count) || size === 0 || hostID + size > 2 ** 32 - 1) throw bad(text,
      `${path} has a bad line: ${line}`);
    if (hostID === 0) throw bad(text, `${path} gives ${name} the host's root`);
    maps.push({ containerID: next, hostID, size });
    next += size;
  }
  if (maps.length === 0) throw bad(text, `${path} has no range for ${name}`);
  if (maps.length > rangesMax) throw bad(text, `${path} has more than ${rangesMax} ranges for ${name}`);
  return maps;
}
