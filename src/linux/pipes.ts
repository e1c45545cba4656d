import { O_CLOEXEC } from './openat2.ts';
import { check, openLibc } from './libc.ts';

const libc = openLibc({
  pipe2: { args: ['ptr', 'i32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
});

const AF_UNIX = 1;
const SOCK_STREAM = 1;

/** A pipe, both ends close-on-exec. The caller closes what it does not hand on. */
export function makePipe(): { read: number; write: number } {
  const fds = new Int32Array(2);
  check(libc.pipe2(fds, O_CLOEXEC), 'pipe2');
  return { read: fds[0] ?? -1, write: fds[1] ?? -1 };
}

const F_SETPIPE_SZ = 1031;
/** The most that a process may ask for by default (/proc/sys/fs/pipe-max-size). */
const widePipeBytes = 1024 * 1024;

/** Lets a pipe hold more, so that its two sides take turns less often. Nothing changes for other files, or where it is refused. */
export function widenPipe(fd: number): void {
  libc.fcntl(fd, F_SETPIPE_SZ, widePipeBytes);
}

/**
 * A connected pair of stream sockets, close-on-exec: one end for a child, one for `Bun.connect({ fd })`. Unlike a child's
 * extra pipes in Bun 1.4.5, such a socket never reports its close before its data.
 */
export function makeSocketPair(): [number, number] {
  const fds = new Int32Array(2);
  check(libc.socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, fds), 'socketpair');
  return [fds[0] ?? -1, fds[1] ?? -1];
}
