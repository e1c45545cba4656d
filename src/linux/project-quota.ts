import { FFIType } from 'bun:ffi';
import { closeSync, constants, openSync } from 'node:fs';
import { EngineError, errnoOf, messageOf } from '../base/index.ts';
import { check, openLibc } from './libc.ts';

// struct fsxattr (linux/fs.h): xflags, extsize, nextents, projid, cowextsize, 8 bytes of padding.
const FS_IOC_FSGETXATTR = 0x801c581f;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_XFLAG_PROJINHERIT = 0x200;
const fsxattrBytes = 28;

// struct fs_disk_quota (linux/dqblk_xfs.h): sizes in 512-byte blocks. The X commands work for ext4 as well as for XFS.
const Q_XSETQLIM = 0x5804;
const Q_XGETQUOTA = 0x5803;
const PRJQUOTA = 2;
const FS_DQUOT_VERSION = 1;
const FS_PROJ_QUOTA = 2;
const FS_DQ_BSOFT = 1 << 2;
const FS_DQ_BHARD = 1 << 3;
const quotaBytes = 112;
const quotaBlockBytes = 512;
const SYS_quotactl_fd = 443;

const libc = openLibc({ ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' } });
const quotactl = openLibc({ syscall: { args: ['i64', 'u32', 'u32', 'u32', 'ptr'], returns: FFIType.i64_fast } });

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function command(fd: number, name: number, project: number, quota: Buffer): void {
  check(quotactl.syscall(SYS_quotactl_fd, fd, ((name << 8) | PRJQUOTA) >>> 0, project, quota), 'quotactl_fd');
}

/** True when the file system of `path` counts and limits by project (`prjquota`, and for ext4 the feature `project`). */
export function hasProjectQuota(path: string): boolean {
  try {
    withDirectory(path, (fd) => command(fd, Q_XGETQUOTA, 0, Buffer.alloc(quotaBytes)));
    return true;
  } catch (error) {
    // ENOENT: quota is on, and project 0 has no record.
    return errnoOf(error) === 'ENOENT';
  }
}

/** The project id of a directory; 0: none. */
export function projectOf(path: string): number {
  const attributes = Buffer.alloc(fsxattrBytes);
  withDirectory(path, (fd) => check(libc.ioctl(fd, FS_IOC_FSGETXATTR, attributes), 'ioctl FS_IOC_FSGETXATTR', path));
  return attributes.readUInt32LE(12);
}

/**
 * Puts a directory, and all that is made in it later, into a project, and limits what that project may take.
 * @throws EngineError unsupported where the file system has no project quota.
 */
export function setProjectQuota(path: string, project: number, limitBytes: number): void {
  try {
    withDirectory(path, (fd) => {
      const attributes = Buffer.alloc(fsxattrBytes);
      check(libc.ioctl(fd, FS_IOC_FSGETXATTR, attributes), 'ioctl FS_IOC_FSGETXATTR', path);
      attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
      attributes.writeUInt32LE(project, 12);
      check(libc.ioctl(fd, FS_IOC_FSSETXATTR, attributes), 'ioctl FS_IOC_FSSETXATTR', path);
      const quota = Buffer.alloc(quotaBytes);
      quota.writeInt8(FS_DQUOT_VERSION, 0);
      quota.writeInt8(FS_PROJ_QUOTA, 1);
      quota.writeUInt16LE(FS_DQ_BHARD | FS_DQ_BSOFT, 2);
      quota.writeUInt32LE(project, 4);
      const blocks = BigInt(Math.ceil(limitBytes / quotaBlockBytes));
      quota.writeBigUInt64LE(blocks, 8);
      quota.writeBigUInt64LE(blocks, 16);
      command(fd, Q_XSETQLIM, project, quota);
    });
  } catch (error) {
    const why = `its file system has no project quota (mount it with prjquota): ${messageOf(error)}`;
    throw new EngineError('unsupported', `Cannot limit the size of ${path}: ${why}`, { cause: error });
  }
}
