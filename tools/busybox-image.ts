/**
 * Makes a root file system for an image out of the host's own static busybox: /bin with a link for every applet, users, and the directories a
 * container expects. quickstart.sh imports it, so does the test harness.
 *
 * Usage: bun tools/busybox-image.ts FILE.tar
 */
import { createWriteStream, readFileSync, renameSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

const busybox = '/bin/busybox';
const passwd = [
  'root:x:0:0:root:/root:/bin/sh', 'daemon:x:1:1:daemon:/usr/sbin:/bin/false', 'user:x:1000:1000:user:/home/user:/bin/sh',
  'nobody:x:65534:65534:nobody:/:/bin/false',
];
const group = ['root:x:0:', 'daemon:x:1:', 'wheel:x:10:root,user', 'user:x:1000:', 'nogroup:x:65534:'];
const directories: Record<string, number> = {
  bin: 0o755, dev: 0o755, etc: 0o755, home: 0o755, proc: 0o555, root: 0o700, run: 0o755, sys: 0o555, tmp: 0o1777, usr: 0o755, 'usr/bin': 0o755,
  'usr/sbin': 0o755, var: 0o755,
};
/** The same bytes every time: the image's id depends on nothing but busybox. */
const mtime = new Date(0);

/** Writes the tar. @throws when the host has no static busybox. */
export async function writeBusyboxImage(path: string): Promise<void> {
  const program = readFileSync(busybox);
  if (!isStatic(program)) throw new Error(`${busybox} is not statically linked: install busybox-static`);
  const list = Bun.spawnSync([busybox, '--list']);
  const applets = list.stdout.toString().split('\n').filter((name) => name !== '' && name !== 'busybox');

  const tar = pack();
  const unfinished = `${path}.${process.pid}`;
  const written = pipeline(tar, createWriteStream(unfinished));
  for (const [name, mode] of Object.entries(directories)) tar.entry({ name, type: 'directory', mode, mtime });
  tar.entry({ name: 'home/user', type: 'directory', mode: 0o755, uid: 1000, gid: 1000, mtime });
  tar.entry({ name: 'bin/busybox', mode: 0o755, mtime }, program);
  for (const applet of applets) tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox', mtime });
  tar.entry({ name: 'etc/passwd', mode: 0o644, mtime }, `${passwd.join('\n')}\n`);
  tar.entry({ name: 'etc/group', mode: 0o644, mtime }, `${group.join('\n')}\n`);
  tar.entry({ name: 'etc/shadow', mode: 0o640, mtime }, 'root:*:::::::\n');
  tar.finalize();
  await written;
  renameSync(unfinished, path);
}

/** True for an ELF program without an interpreter segment (PT_INTERP): it runs where no C library is. */
function isStatic(program: Buffer): boolean {
  const PT_INTERP = 3;
  const offset = Number(program.readBigUInt64LE(0x20));
  const size = program.readUInt16LE(0x36);
  const headers = Array.from({ length: program.readUInt16LE(0x38) }, (_, index) => program.readUInt32LE(offset + index * size));
  return !headers.includes(PT_INTERP);
}

if (import.meta.main) {
  const path = process.argv[2];
  if (path === undefined) throw new Error('usage: bun tools/busybox-image.ts FILE.tar');
  await writeBusyboxImage(path);
}
