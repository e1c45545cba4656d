import { closeSync } from 'node:fs';
import { check, openLibc } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

const libc = openLibc({
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  sendto: { args: ['i32', 'ptr', 'usize', 'i32', 'ptr', 'u32'], returns: 'i64' },
});

/** Sends one datagram to a unix socket, without waiting; a path that begins with `@` is an abstract address. */
export function sendDatagram(path: string, message: string): void {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const data = Buffer.from(message);
  const fd = check(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    check(libc.sendto(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length), 'sendto', path);
  } finally {
    closeSync(fd);
  }
}
