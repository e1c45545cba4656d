import { closeSync, constants } from 'node:fs';
import { EngineError, errnoOf, messageOf } from '../../base/index.ts';
import {
  AT_FDCWD, chmodAt, chmodFd, chownAt, O_PATH, openat2, rawBytes, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, S_IFLNK, S_IFMT, setXattr, setXattrFd, statAt,
  utimesAt, utimesFd,
} from '../../linux/index.ts';
import { isOverlayXattr, pathIn } from './overlay-form.ts';

/** What a file has besides its content. */
export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  mtimeSec: number;
  mtimeNsec: number;
  xattrs: ReadonlyMap<string, Buffer>;
}

/**
 * Sets a freshly made file's attributes by its descriptor. Owner first: a change of owner clears setuid bits and capabilities.
 * Most files have their owner and mode since they were made, and looking is cheaper than an entry in the journal.
 */
export function applyToFile(fd: number, attributes: Attributes): void {
  const now = statAt(fd, '');
  if (now.uid !== attributes.uid || now.gid !== attributes.gid) chownAt(fd, '', attributes.uid, attributes.gid);
  if ((now.mode & 0o7777) !== attributes.mode) chmodFd(fd, attributes.mode);
  for (const [name, value] of attributes.xattrs) keepXattr(name, () => setXattrFd(fd, name, value));
  utimesFd(fd, attributes.mtimeSec, attributes.mtimeNsec);
}

/** Sets the attributes of what is no plain file, by name and without following a link; the empty name is the directory itself. */
export function applyToName(dirFd: number, name: string, attributes: Attributes): void {
  // The descriptor holds on to the file, so that a name that is swapped meanwhile cannot lead the chmod elsewhere.
  const flags = O_PATH | constants.O_NOFOLLOW;
  const fd = openat2(dirFd, name === '' ? '.' : rawBytes(name), flags, RESOLVE_BENEATH | (name === '' ? RESOLVE_NO_SYMLINKS : 0));
  try {
    chownAt(fd, '', attributes.uid, attributes.gid);
    const isLink = (statAt(fd, '').mode & S_IFMT) === S_IFLNK;
    // Links have no mode of their own.
    if (!isLink) chmodAt(AT_FDCWD, `/proc/self/fd/${fd}`, attributes.mode);
  } finally {
    closeSync(fd);
  }
  for (const [key, value] of attributes.xattrs) keepXattr(key, () => setXattr(pathIn(dirFd, name), key, value));
  utimesAt(dirFd, name === '' ? '.' : rawBytes(name), attributes.mtimeSec, attributes.mtimeNsec);
}

function keepXattr(name: string, set: () => void): void {
  if (isOverlayXattr(name)) return;
  try {
    set();
  } catch (error) {
    const code = errnoOf(error);
    // Not every file system keeps users' own attributes, and none keeps them on links and devices: what programs cannot rely
    // on anywhere may be lost. Capabilities and access lists may not.
    if ((code === 'EOPNOTSUPP' || code === 'ENOTSUP' || code === 'EPERM') && name.startsWith('user.')) return;
    throw new EngineError('unsupported', `Cannot keep the extended attribute ${name}: ${messageOf(error)}`, { cause: error });
  }
}
