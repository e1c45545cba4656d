import { expect, test } from 'bun:test';
import { closeSync, readdirSync, writeSync } from 'node:fs';
import { connectFd, duplicateFd, joinPending, makePipe, makeSocketPair, receivePending } from './index.ts';
import { check, openLibc } from './libc.ts';

function makePacketPair(): [number, number] {
  const [AF_UNIX, SOCK_SEQPACKET] = [1, 5];
  const fds = new Int32Array(2);
  check(openLibc({ socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' } }).socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 'socketpair');
  return [fds[0] ?? -1, fds[1] ?? -1];
}

/** Faults of Bun that this house works around: should one of these fail, look at docs/architecture.md first. */

test('Bun: a pipe is read to its end by Bun.file, written by its writer, and no descriptor is left', async () => {
  const before = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 4; round++) {
    const { read, write } = makePipe();
    const writer = Bun.file(write).writer();
    closeSync(write);
    const sent = new Uint8Array(300_000).fill(round);
    void writer.write(sent);
    const ended = writer.end();
    // What the writer could not send at once it has copied.
    sent.fill(99);
    let total = 0;
    for await (const chunk of Bun.file(read).stream()) {
      total += chunk.length;
      expect(chunk.every((byte) => byte === round)).toBe(true);
    }
    closeSync(read);
    await ended;
    expect(total).toBe(300_000);
  }
  for (let tries = 0; readdirSync('/proc/self/fd').length > before && tries < 500; tries++) await Bun.sleep(2);
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});

test('Bun: a socket pair to a child gives all data before its close', async () => {
  const [ours, theirs] = makeSocketPair();
  const child = Bun.spawn(['sh', '-c', 'echo first >&3; echo second >&3'], { stdio: ['ignore', 'ignore', 'ignore', theirs] });
  closeSync(theirs);
  let text = '';
  const ended = Promise.withResolvers<void>();
  await connectFd(ours,
    { data: (_socket, chunk) => void (text += chunk.toString()), end: (socket) => void socket.end(), close: () => ended.resolve() });
  await ended.promise;
  await child.exited;
  expect(text).toBe('first\nsecond\n');
});

test('Bun: a peer that closes with our data unread takes its last packets with it; a second descriptor still has them', async () => {
  const [ours, theirs] = makePacketPair();
  const last = duplicateFd(ours);
  const seen: string[] = [];
  const closed = Promise.withResolvers<void>();
  const socket = await connectFd(ours, { data: (_socket, packet) => void seen.push(packet.toString()), close: () => closed.resolve() });
  socket.write('unread');
  writeSync(theirs, 'one');
  writeSync(theirs, 'two');
  closeSync(theirs);
  await closed.promise;
  for (const packet of receivePending(last, 8)) seen.push(Buffer.from(packet).toString());
  closeSync(last);
  expect(seen).toEqual(['one', 'two']);
});

test('packets that wait are joined by their marks', () => {
  const [ours, theirs] = makePacketPair();
  try {
    for (const text of ['1b', '1cc', '2dd', '2', '1', '1e']) writeSync(theirs, text);
    const runs = joinPending(ours, Buffer.from('1a'), new Uint8Array(64), 16);
    expect(runs.map((run) => Buffer.from(run).toString())).toEqual(['1abcc', '2dd', '1e']);
    // A full buffer leaves the rest.
    for (const text of ['1b', '1c', '1d']) writeSync(theirs, text);
    expect(joinPending(ours, Buffer.from('1a'), new Uint8Array(6), 4).map((run) => Buffer.from(run).toString())).toEqual(['1ab']);
    expect(receivePending(ours, 16).map((packet) => Buffer.from(packet).toString())).toEqual(['1c', '1d']);
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
});
