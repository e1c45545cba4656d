import { EngineError } from '../base/index.ts';
import { readFileInRoot } from '../linux/index.ts';

/** The identity that a container's process gets. */
export interface UserIdentity {
  uid: number;
  gid: number;
  /** The primary group first, then the others, each once. */
  additionalGids: number[];
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** /etc/passwd and /etc/group of an image. */
const fileBytesMax = 16 * 1024 * 1024;
const idMax = 0x7fff_ffff;

/**
 * Finds `USER[:GROUP]` (names or numbers) in a root file system's etc/passwd and etc/group, by docker's rules: a number need
 * not be in the files; without GROUP the user's own group and all that list it as a member are taken; `groupAdd` comes on top.
 * Links in the root stay inside it.
 * @throws EngineError invalidArgument with docker's words.
 */
export function lookupUser(rootDir: string, spec: string, groupAdd: readonly string[]): UserIdentity {
  const [userName = '', groupName = ''] = splitSpec(spec);
  const passwd = lines(rootDir, 'etc/passwd').map(passwdEntry).filter((entry) => entry !== undefined);
  const number = idOf(userName);
  const match = passwd.find((entry) => (userName === '' ? entry.uid === 0 : entry.name === userName || entry.uid === number));
  if (!match && userName !== '' && number === undefined) {
    throw new EngineError('invalidArgument', `unable to find user ${userName}: no matching entries in passwd file`);
  }
  const uid = inRange(match?.uid ?? number ?? 0);
  let gid = match?.gid ?? 0;
  const others: number[] = [];
  const needsGroups = groupName !== '' || groupAdd.length > 0 || match !== undefined;
  const groups = needsGroups ? lines(rootDir, 'etc/group').map(groupEntry).filter((entry) => entry !== undefined) : [];
  if (groupName !== '') {
    const found = gidOf(groups, groupName);
    if (found === undefined) throw new EngineError('invalidArgument', `unable to find group ${groupName}: no matching entries in group file`);
    gid = found;
  } else if (match) {
    for (const group of groups) if (group.members.includes(match.name)) others.push(group.gid);
  }
  for (const name of groupAdd) {
    const found = gidOf(groups, name);
    if (found === undefined) throw new EngineError('invalidArgument', `Unable to find group ${name}`);
    others.push(found);
  }
  return { uid, gid: inRange(gid), additionalGids: [...new Set([gid, ...others])], home: match?.home || '/' };
}

function splitSpec(spec: string): string[] {
  const colon = spec.indexOf(':');
  return colon < 0 ? [spec] : [spec.slice(0, colon), spec.slice(colon + 1)];
}

function gidOf(groups: readonly GroupEntry[], name: string): number | undefined {
  const number = idOf(name);
  const found = groups.find((group) => group.name === name || group.gid === number);
  return found?.gid ?? (number === undefined ? undefined : inRange(number));
}

function idOf(text: string): number | undefined {
  return /^[+-]?[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function inRange(id: number): number {
  if (id < 0 || id > idMax) throw new EngineError('invalidArgument', `uids and gids must be in range 0-${idMax}`);
  return id;
}

function lines(rootDir: string, path: string): string[] {
  return readFileInRoot(rootDir, path, fileBytesMax)?.toString().split('\n') ?? [];
}

/** name:password:uid:gid:comment:home:shell */
function passwdEntry(line: string): PasswdEntry | undefined {
  const [name = '', , uid = '', gid = '', , home = ''] = line.trim().split(':');
  const [uidNumber, gidNumber] = [idOf(uid), idOf(gid)];
  return name === '' || uidNumber === undefined || gidNumber === undefined ? undefined : { name, uid: uidNumber, gid: gidNumber, home };
}

/** name:password:gid:member,member */
function groupEntry(line: string): GroupEntry | undefined {
  const [name = '', , gid = '', members = ''] = line.trim().split(':');
  const number = idOf(gid);
  return name === '' || number === undefined ? undefined : { name, gid: number, members: members.split(',').map((each) => each.trim()) };
}
