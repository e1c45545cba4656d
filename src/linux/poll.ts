import { check, openLibc } from './libc.ts';

const libc = openLibc({ poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' } });

const POLLERR = 0x8;
const POLLHUP = 0x10;

/**
 * True when both directions of a connection are over (poll(2): POLLHUP, POLLERR), as when the peer of a unix socket has closed
 * it and not only shut down its output, which looks the same to a reader. Does not wait.
 */
export function isHungUp(fd: number): boolean {
  // struct pollfd: int fd, short events, short revents.
  const entry = new ArrayBuffer(8);
  const view = new DataView(entry);
  view.setInt32(0, fd, true);
  check(libc.poll(new Uint8Array(entry), 1, 0), 'poll');
  return (view.getInt16(6, true) & (POLLHUP | POLLERR)) !== 0;
}
