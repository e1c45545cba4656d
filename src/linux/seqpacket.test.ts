import { expect, test } from 'bun:test';
import { closeSync, readdirSync } from 'node:fs';
import { connectFd, makePipe, makeSocketPair } from './index.ts';

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
