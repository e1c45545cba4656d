import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK, type FileStat } from '../../linux/index.ts';

/** moby: container.PathStat. */
export interface PathStat {
  name: string;
  size: number;
  /** Go's os.FileMode bits. */
  mode: number;
  mtime: string;
  linkTarget: string;
}

/** Go, io/fs: FileMode. Numbers, because 1 << 31 is negative in JavaScript. */
const goTypes = new Map<number, number>([
  [S_IFDIR, 0x8000_0000], [S_IFLNK, 0x0800_0000], [S_IFBLK, 0x0400_0000], [S_IFIFO, 0x0200_0000], [S_IFSOCK, 0x0100_0000], [S_IFCHR, 0x0420_0000],
]);
const goSetuid = 0x0080_0000;
const goSetgid = 0x0040_0000;
const goSticky = 0x0010_0000;

/** A mode as Go's os.FileMode has it. */
export function goFileMode(mode: number): number {
  return (mode & 0o777) + (goTypes.get(mode & S_IFMT) ?? 0)
    + ((mode & 0o4000) !== 0 ? goSetuid : 0) + ((mode & 0o2000) !== 0 ? goSetgid : 0) + ((mode & 0o1000) !== 0 ? goSticky : 0);
}

/** RFC 3339 with nanoseconds, UTC. Times that a date cannot show are shown as the epoch. */
export function fileTime({ mtimeSec, mtimeNsec }: FileStat): string {
  const date = new Date(mtimeSec * 1000);
  const year = date.getUTCFullYear();
  const seconds = year >= 0 && year <= 9999 ? date.toISOString().slice(0, 19) : '1970-01-01T00:00:00';
  const fraction = mtimeNsec === 0 ? '' : `.${String(mtimeNsec).padStart(9, '0').replace(/0+$/, '')}`;
  return `${seconds}${fraction}Z`;
}
