import { getXattr, rawBytes, S_IFCHR, S_IFMT, setXattr, type FileStat } from '../../linux/index.ts';

/**
 * The two forms in which a layer says what it takes away. OCI image specification, "Whiteouts": an empty file `.wh.NAME` removes
 * NAME, `.wh..wh..opq` removes all that the directory had below. The kernel's overlay (filesystems/overlayfs, "whiteouts and
 * opaque directories"): a character device 0/0 named NAME, and the attribute trusted.overlay.opaque=y on the directory.
 */
export const whiteoutPrefix = '.wh.';
/** Names for aufs's own use: all but the opaque mark are of no meaning in a layer. */
export const whiteoutMetaPrefix = '.wh..wh.';
export const opaqueMark = '.wh..wh..opq';

const opaqueXattr = 'trusted.overlay.opaque';

/** Attributes by which overlay steers itself. They are never taken from an archive nor put into one. */
export function isOverlayXattr(name: string): boolean {
  return name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');
}

export function isWhiteout(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFCHR && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

/** A path by which calls that know no directory descriptors reach a raw name in one; the empty name is the directory itself. */
export function pathIn(dirFd: number, name: string): Buffer {
  return rawBytes(`/proc/self/fd/${dirFd}/${name === '' ? '.' : name}`);
}

export function setOpaque(dirFd: number, name: string): void {
  setXattr(pathIn(dirFd, name), opaqueXattr, Buffer.from('y'));
}

export function isOpaque(dirFd: number, name = ''): boolean {
  return getXattr(pathIn(dirFd, name), opaqueXattr)?.toString('latin1') === 'y';
}
