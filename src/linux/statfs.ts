import { check, cString, openLibc } from './libc.ts';

const libc = openLibc({
  statfs: { args: ['ptr', 'ptr'], returns: 'i32' },
  syncfs: { args: ['i32'], returns: 'i32' },
});

const statfsBytes = 120;

/** Magic numbers (linux/magic.h) and the names that docker shows for them. */
const names = new Map<number, string>([
  [0xef53, 'extfs'], [0x58465342, 'xfs'], [0x9123683e, 'btrfs'], [0x01021994, 'tmpfs'], [0x794c7630, 'overlayfs'], [0x6969, 'nfs'],
  [0x61756673, 'aufs'], [0xf15f, 'ecryptfs'], [0x2fc12fc1, 'zfs'], [0xf2f52010, 'f2fs'], [0x65735546, 'fuse'], [0xca451a4e, 'bcachefs'],
  [0x858458f6, 'ramfs'], [0x73717368, 'squashfs'], [0x3153464a, 'jfs'], [0x52654973, 'reiserfs'], [0x63677270, 'cgroup2'], [0x27e0eb, 'cgroup'],
]);

export interface FileSystemStat {
  /** f_type. */
  type: number;
  /** `extfs`, `xfs` …, or the number in hex. */
  name: string;
  totalBytes: number;
  /** For unprivileged users. */
  availableBytes: number;
  freeInodes: number;
}

/** statfs(2) of the file system that a path is on. */
export function statFileSystem(path: string): FileSystemStat {
  const buffer = Buffer.alloc(statfsBytes);
  check(libc.statfs(cString(path), buffer), 'statfs', path);
  const word = (index: number) => Number(buffer.readBigInt64LE(index * 8));
  const type = word(0) >>> 0;
  return {
    type,
    name: names.get(type) ?? `0x${type.toString(16)}`,
    totalBytes: word(2) * word(1),
    availableBytes: word(4) * word(1),
    freeInodes: word(6),
  };
}

/** syncfs(2): writes everything of the fd's file system to disk. It blocks the caller as long as the disk needs. */
export function syncFs(fd: number): void {
  check(libc.syncfs(fd), 'syncfs');
}
