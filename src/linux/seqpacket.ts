import { closeSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoOf } from '../base/index.ts';
import { check, cString, openLibc } from './libc.ts';
import { O_CLOEXEC, O_PATH } from './openat2.ts';

const libc = openLibc({
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  connect: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  shutdown: { args: ['i32', 'i32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'usize', 'i32'], returns: 'i64' },
});

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SHUT_WR = 1;
const F_DUPFD_CLOEXEC = 1030;
const MSG_DONTWAIT = 0x40;
/** More packets than a socket's buffer holds. */
const pendingPacketsMax = 4096;
/** sizeof(sun_path) of unix(7), its final NUL included. */
const socketPathLimitBytes = 108;

/**
 * Connects to a SOCK_SEQPACKET socket in the file system and gives the descriptor, non-blocking and close-on-exec, fit for
 * `Bun.connect({ fd })`. A path longer than sun_path goes by a descriptor of its directory.
 * @throws ENOENT, ECONNREFUSED: nobody listens; EAGAIN: its queue is full.
 */
export function connectSeqpacket(path: string): number {
  const short = Buffer.byteLength(path) < socketPathLimitBytes;
  const dirFd = short ? -1 : openSync(dirname(path), O_PATH | O_CLOEXEC);
  const fd = check(libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | O_CLOEXEC, 0), 'socket');
  try {
    const name = cString(short ? path : `/proc/self/fd/${dirFd}/${basename(path)}`);
    const address = Buffer.alloc(2 + name.length);
    new DataView(address.buffer, address.byteOffset).setUint16(0, AF_UNIX, true);
    address.set(name, 2);
    check(libc.connect(fd, address, address.length), 'connect', path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  } finally {
    if (dirFd >= 0) closeSync(dirFd);
  }
}

/** Half-close: the peer reads the end of our data, and we go on reading. */
export function shutdownWrite(fd: number): void {
  check(libc.shutdown(fd, SHUT_WR), 'shutdown');
}

/** A second descriptor of the same file, close-on-exec. */
export function duplicateFd(fd: number): number {
  return check(libc.fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl');
}

/**
 * The packets that a socket still holds, without waiting. A peer that closes with our data unread leaves an error before its own last
 * packets (unix(7): ECONNRESET); they are read past it.
 */
export function receivePending(fd: number, packetBytesMax: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  let wasReset = false;
  while (packets.length < pendingPacketsMax) {
    const buffer = new Uint8Array(packetBytesMax);
    try {
      const size = check(libc.recv(fd, buffer, buffer.length, MSG_DONTWAIT), 'recv');
      if (size === 0) return packets;
      packets.push(buffer.subarray(0, size));
    } catch (error) {
      if (errnoOf(error) !== 'ECONNRESET' || wasReset) return packets;
      wasReset = true;
    }
  }
  return packets;
}

/**
 * Joins a packet with those that wait behind it: a thousand small ones then cost little more than a large one. Each packet begins with a
 * mark; of neighbours with the same mark the first one's stays. Gives the runs, each with its mark, as views of `buffer`; stops when
 * nothing waits or the buffer is full, and leaves the end of the stream, and errors, to whoever reads next.
 */
export function joinPending(fd: number, first: Uint8Array, buffer: Uint8Array, packetBytesMax: number): Uint8Array[] {
  buffer.set(first);
  const runs: Uint8Array[] = [];
  let mark = first[0];
  let from = 0;
  let to = first.length;
  while (to + packetBytesMax <= buffer.length) {
    // The packet's mark falls on the last byte of the run, which is put back: its data then stands right behind.
    const at = to - 1;
    const last = buffer[at] ?? 0;
    const size = Number(libc.recv(fd, buffer.subarray(at, at + packetBytesMax), packetBytesMax, MSG_DONTWAIT));
    if (size <= 0) break;
    const found = buffer[at];
    if (found === mark) to = at + size;
    else {
      buffer.copyWithin(to, at, at + size);
      runs.push(buffer.subarray(from, to));
      mark = found;
      from = to;
      to += size;
    }
    buffer[at] = last;
  }
  runs.push(buffer.subarray(from, to));
  return runs;
}
