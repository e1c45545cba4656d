import { invalid, shown } from './invalid.ts';

/** HOST_NAME_MAX (limits.h). */
const maxHostnameLength = 64;
/** Longest name of a container. */
const maxNameLength = 255;
const maxId = 2 ** 31 - 1;

/** Docker's rule for container names; also for `rename`. */
export function checkContainerName(name: string): string {
  const bare = name.startsWith('/') ? name.slice(1) : name;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare)) {
    throw invalid(`Invalid container name (${shown(name)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  if (bare.length > maxNameLength) throw invalid(`Invalid container name (${shown(name)}), longer than ${maxNameLength} characters`);
  return bare;
}

/** RFC 1123 labels; at most 64 bytes, which is what the kernel takes. */
export function checkHostname(hostname: string): void {
  if (hostname.length > maxHostnameLength) {
    throw invalid(`hostname "${shown(hostname)}" is too long (maximum ${maxHostnameLength} bytes)`);
  }
  if (!/^[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?)*$/.test(hostname)) {
    throw invalid(`invalid hostname format: ${shown(hostname)}`);
  }
}

/** `name|uid[:group|gid]`, the names to be looked up in the container's own files. */
export interface UserSpec {
  user: string;
  /** Undefined: the user's own groups. */
  group: string | undefined;
}

function checkId(text: string, spec: string): void {
  if (/^[0-9]+$/.test(text) && Number(text) > maxId) throw invalid(`uids and gids must be in range 0-${maxId}: ${shown(spec)}`);
  if (text.length > 256 || /[\s\u0000-\u001f\u007f]/.test(text)) throw invalid(`invalid user specification: '${shown(spec)}'`);
}

/** `--user`: guide table 1-2. An empty user (`:group`) is root. */
export function parseUser(text: string): UserSpec {
  const [user = '', group, ...more] = text.split(':', 4);
  if (more.length > 0 || text === ':' || group === '') throw invalid(`invalid user specification: '${shown(text)}'`);
  checkId(user, text);
  if (group !== undefined) checkId(group, text);
  return { user, group };
}

export function formatUser(spec: UserSpec): string {
  return spec.group === undefined ? spec.user : `${spec.user}:${spec.group}`;
}

/** One `--group-add`: a name or a number. */
export function checkGroup(group: string): void {
  if (group === '' || group.includes(':')) throw invalid(`invalid group specification: '${shown(group)}'`);
  checkId(group, group);
}
