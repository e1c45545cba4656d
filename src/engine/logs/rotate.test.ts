import { expect, test } from 'bun:test';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { silentLogger } from '../../base/index.ts';
import { LogRotator } from './rotate.ts';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Writes a log as conmon does. */
class Writer {
  #fd: number;
  opened = 1;
  constructor(readonly path: string) {
    this.#fd = openSync(path, 'a');
  }
  write(text: string): void {
    writeSync(this.#fd, text);
  }
  reopen(): void {
    this.opened++;
    closeSync(this.#fd);
    this.#fd = openSync(`${this.path}.tmp`, 'w');
    renameSync(`${this.path}.tmp`, this.path);
  }
  close(): void {
    closeSync(this.#fd);
  }
}

test('a log beyond its size moves on, and the oldest is dropped', async () => {
  const dir = mkdtempSync('/tmp/isula-rotate-');
  const path = `${dir}/console.log`;
  const writer = new Writer(path);
  const asked: string[] = [];
  using rotator = new LogRotator({ logger: silentLogger, reopen: async (id) => { asked.push(id); writer.reopen(); } });
  rotator.track('c', { path, maxBytes: 10, maxFiles: 3 });
  for (let round = 1; round <= 4; round++) {
    writer.write(`round ${round}, long enough`);
    await until(() => writer.opened === round + 1);
  }
  expect(asked).toEqual(['c', 'c', 'c', 'c']);
  expect(readFileSync(`${path}.1`, 'utf8')).toContain('round 4');
  expect(readFileSync(`${path}.2`, 'utf8')).toContain('round 3');
  expect(existsSync(`${path}.3`)).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('');
  writer.close();
  rmSync(dir, { recursive: true });
});

test('one file only: it begins anew', async () => {
  const dir = mkdtempSync('/tmp/isula-rotate-');
  const path = `${dir}/console.log`;
  const writer = new Writer(path);
  using rotator = new LogRotator({ logger: silentLogger, reopen: async () => writer.reopen() });
  rotator.track('c', { path, maxBytes: 10, maxFiles: 1 });
  writer.write('more than ten bytes');
  await until(() => writer.opened === 2);
  expect(readFileSync(path, 'utf8')).toBe('');
  expect(existsSync(`${path}.1`)).toBe(false);
  writer.close();
  rmSync(dir, { recursive: true });
});

test('a rotation that a crash interrupted is completed, once', async () => {
  const dir = mkdtempSync('/tmp/isula-rotate-');
  const path = `${dir}/console.log`;
  const writer = new Writer(path);
  renameSync(path, `${path}.1`);
  using rotator = new LogRotator({ logger: silentLogger, reopen: async () => writer.reopen() });
  rotator.track('c', { path, maxBytes: 1000, maxFiles: 3 });
  await until(() => existsSync(path));
  writer.write('kept');
  rotator.track('c', { path, maxBytes: 1000, maxFiles: 3 });
  expect(writer.opened).toBe(2);
  expect(readFileSync(path, 'utf8')).toBe('kept');
  writer.close();
  rmSync(dir, { recursive: true });
});

test('a gap in the numbers closes', async () => {
  const dir = mkdtempSync('/tmp/isula-rotate-');
  const path = `${dir}/console.log`;
  writeFileSync(`${path}.2`, 'old');
  const writer = new Writer(path);
  using rotator = new LogRotator({ logger: silentLogger, reopen: async () => writer.reopen() });
  rotator.track('c', { path, maxBytes: 5, maxFiles: 4 });
  writer.write('newer than that');
  await until(() => writer.opened === 2);
  expect(readFileSync(`${path}.2`, 'utf8')).toBe('old');
  expect(readFileSync(`${path}.1`, 'utf8')).toContain('newer');
  writer.close();
  rmSync(dir, { recursive: true });
});

test('a conmon that does not answer is asked again, and nobody else suffers', async () => {
  const dir = mkdtempSync('/tmp/isula-rotate-');
  const path = `${dir}/console.log`;
  const writer = new Writer(path);
  let asked = 0;
  const warnings: string[] = [];
  using rotator = new LogRotator({
    logger: { ...silentLogger, warn: (message) => void warnings.push(message) },
    reopen: async () => {
      if (++asked === 1) throw new Error('fifo is full');
      writer.reopen();
    },
  });
  rotator.track('c', { path, maxBytes: 5, maxFiles: 2 });
  writer.write('long enough');
  await until(() => writer.opened === 2);
  expect(warnings.length).toBe(1);
  writer.close();
  rmSync(dir, { recursive: true });
});

test('a log that grows fast is not let grow to many times its size', async () => {
  const dir = mkdtempSync('/tmp/isula-rotate-');
  const path = `${dir}/console.log`;
  const writer = new Writer(path);
  const sizes: number[] = [];
  using rotator = new LogRotator({
    logger: silentLogger,
    reopen: async () => {
      sizes.push(statSync(`${path}.1`).size);
      writer.reopen();
    },
  });
  rotator.track('c', { path, maxBytes: 60, maxFiles: 2 });
  // A byte per millisecond: looked at each quarter of a second only, it would be four times its size.
  const begin = performance.now();
  let written = 0;
  const writing = setInterval(() => {
    const due = Math.floor(performance.now() - begin) - written;
    writer.write('x'.repeat(due));
    written += due;
  }, 2);
  await until(() => sizes.filter((size) => size < 180).length >= 5);
  clearInterval(writing);
  writer.close();
  rmSync(dir, { recursive: true });
}, 60_000);
