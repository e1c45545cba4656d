import { afterEach, beforeEach, expect, test } from 'bun:test';
import { appendFileSync, closeSync, mkdtempSync, openSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import type { OutputSink, OutputStream } from '../../base/index.ts';
import type { LogOptions } from '../types.ts';
import { readLogs } from './read.ts';

let dir = '';
let path = '';
beforeEach(() => {
  dir = mkdtempSync('/tmp/isula-logs-');
  path = `${dir}/console.log`;
});
afterEach(() => rmSync(dir, { recursive: true }));

class Collector implements OutputSink {
  text = '';
  readonly streams: Record<OutputStream, string> = { 1: '', 2: '' };
  #waiting: { until: () => boolean; resolve: () => void }[] = [];
  delay = false;
  most = 0;

  write(stream: OutputStream, chunk: Uint8Array): Promise<void> | undefined {
    const text = Buffer.from(chunk).toString();
    this.most = Math.max(this.most, chunk.length);
    this.text += text;
    this.streams[stream] += text;
    this.#waiting = this.#waiting.filter((one) => {
      if (one.until()) one.resolve();
      return !one.until();
    });
    return this.delay ? new Promise((resolve) => setImmediate(resolve)) : undefined;
  }
  end(): void {}
  fail(): void {}
  when(until: () => boolean): Promise<void> {
    if (until()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ until, resolve }));
  }
}

interface RecordOptions {
  stream?: 1 | 2;
  partial?: boolean;
  second?: number;
  zone?: string;
}

function record(text: string, { stream = 1, partial = false, second = 0, zone = 'Z' }: RecordOptions = {}): string {
  const time = new Date(Date.UTC(2026, 0, 2, 3, 4, second)).toISOString().slice(0, 19);
  return `${time}.000000001${zone} ${stream === 1 ? 'stdout' : 'stderr'} ${partial ? 'P' : 'F'} ${text}\n`;
}

function at(second: number): number {
  return Date.UTC(2026, 0, 2, 3, 4, second);
}

const everything: LogOptions = {
  follow: false, stdout: true, stderr: true, since: undefined, until: undefined, timestamps: false, tail: undefined, details: false,
};

async function show(options: Partial<LogOptions> = {}, details = ''): Promise<Collector> {
  const sink = new Collector();
  await readLogs({ path, options: { ...everything, ...options }, details, sink, signal: new AbortController().signal, ended: () => true });
  return sink;
}

function follow(options: Partial<LogOptions> = {}): { sink: Collector; done: Promise<void>; end: () => void; abort: AbortController } {
  const sink = new Collector();
  const abort = new AbortController();
  let ended = false;
  let wake = (): void => {};
  const done = readLogs({
    path, options: { ...everything, follow: true, ...options }, details: '', sink, signal: abort.signal, ended: () => ended,
    onChange: (callback) => {
      wake = callback;
      return () => {};
    },
  });
  return { sink, done, abort, end: () => { ended = true; wake(); } };
}

test('lines, partial lines and both streams', async () => {
  const start = record('one') + record('tw', { partial: true }) + record('err', { stream: 2 });
  writeFileSync(path, start + record('o') + record('') + record('prompt# ', { partial: true }));
  const sink = await show();
  expect(sink.streams[1]).toBe('one\ntwo\n\nprompt# ');
  expect(sink.streams[2]).toBe('err\n');
  expect((await show({ stdout: false })).text).toBe('err\n');
});

test('time stamps are UTC with nine digits, one for each line; details stand behind them', async () => {
  writeFileSync(path, record('a', { partial: true }) + record('b') + record('c', { zone: '+02:00' }));
  expect((await show({ timestamps: true })).text).toBe('2026-01-02T03:04:00.000000001Z ab\n2026-01-02T01:04:00.000000001Z c\n');
  expect((await show({ timestamps: true, details: true }, 'k=v')).text).toContain('000000001Z k=v ab\n');
});

test('since and until', async () => {
  writeFileSync(`${path}.1`, record('zero') + record('one', { second: 1 }));
  writeFileSync(path, record('two', { second: 2 }) + record('three', { second: 3 }));
  expect((await show({ since: at(1) })).text).toBe('one\ntwo\nthree\n');
  expect((await show({ until: at(2) - 1 })).text).toBe('zero\none\n');
  expect((await show({ since: at(1), until: at(2) + 1 })).text).toBe('one\ntwo\n');
  expect((await show({ until: at(2) + 1, tail: 2 })).text).toBe('one\ntwo\n');
  expect((await show({ since: at(2), tail: 3 })).text).toBe('two\nthree\n');
});

test('tail across files, streams and partial lines', async () => {
  writeFileSync(`${path}.2`, record('1') + record('2'));
  writeFileSync(`${path}.1`, record('e', { stream: 2 }) + record('3', { partial: true }));
  writeFileSync(path, record('E', { stream: 2 }) + record('3') + record('4'));
  expect((await show({ tail: 1 })).text).toBe('4\n');
  expect((await show({ tail: 2 })).text).toBe('33\n4\n');
  const three = await show({ tail: 3 });
  expect(three.streams).toEqual({ 1: '33\n4\n', 2: 'E\n' });
  expect((await show({ tail: 3, stderr: false })).text).toBe('2\n33\n4\n');
  expect((await show({ tail: 100 })).text.length).toBe(await show().then((all) => all.text.length));
  expect((await show({ tail: 0 })).text).toBe('');
});

test('tail of N lines is the end of all lines, whatever the blocks', async () => {
  let seed = 3;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  let lines = '';
  const wanted: string[] = [];
  for (let number = 0; number < 4000; number++) {
    const text = String(number) + 'x'.repeat(random(100));
    wanted.push(text);
    lines += record(text);
  }
  writeFileSync(`${path}.1`, lines.slice(0, lines.indexOf('\n', 100_000) + 1));
  writeFileSync(path, lines.slice(lines.indexOf('\n', 100_000) + 1));
  for (const tail of [1, 7, 500, 2500, 3999, 4000, 9999]) {
    expect((await show({ tail })).text).toBe(wanted.slice(-tail).map((line) => `${line}\n`).join(''));
  }
});

test('what is no record is skipped, an unfinished record is left', async () => {
  writeFileSync(path, `\0\0\0${record('a')}garbage\n${'y'.repeat(3 * 1024 * 1024)}\n${record('b')}2026-01-02T03:04:00Z stdo`);
  expect((await show()).text).toBe('a\nb\n');
  expect((await show({ tail: 1 })).text).toBe('b\n');
});

test('a missing log is an empty one', async () => {
  expect((await show()).text).toBe('');
  expect((await show({ tail: 5 })).text).toBe('');
});

test('a slow sink is waited for, and chunks stay small', async () => {
  const line = 'z'.repeat(1000);
  writeFileSync(path, record(line).repeat(3000));
  const sink = new Collector();
  sink.delay = true;
  await readLogs({ path, options: everything, details: '', sink, signal: new AbortController().signal, ended: () => true });
  expect(sink.text).toBe(`${line}\n`.repeat(3000));
  expect(sink.most).toBeLessThanOrEqual(64 * 1024);
});

test('following ends when the container does, after the last line', async () => {
  const { sink, done, end } = follow();
  appendFileSync(path, record('a'));
  await sink.when(() => sink.text === 'a\n');
  appendFileSync(path, record('half', { partial: true }));
  await sink.when(() => sink.text === 'a\nhalf');
  appendFileSync(path, record('b'));
  end();
  await done;
  expect(sink.text).toBe('a\nhalfb\n');
});

test('following from the end shows only what is new', async () => {
  writeFileSync(path, record('old'));
  const { sink, done, end } = follow({ tail: 0 });
  const one = follow({ tail: 1 });
  await one.sink.when(() => one.sink.text === 'old\n');
  appendFileSync(path, record('new'));
  await sink.when(() => sink.text !== '');
  end();
  one.end();
  await Promise.all([done, one.done]);
  expect(sink.text).toBe('new\n');
  expect(one.sink.text).toBe('old\nnew\n');
});

test('an abort ends following, even when the sink never takes more', async () => {
  const { done, abort } = follow();
  abort.abort();
  await done;
  writeFileSync(path, record('a'));
  const stuck = new AbortController();
  let called = (): void => {};
  const written = new Promise<void>((resolve) => (called = resolve));
  const reading = readLogs({
    path, options: { ...everything, follow: true }, details: '', signal: stuck.signal, ended: () => false,
    sink: { write: () => { called(); return new Promise(() => {}); }, end() {}, fail() {} },
  });
  await written;
  stuck.abort();
  await reading;
});

test('following crosses rotations, the writer still holding the old file', async () => {
  const { sink, done, end } = follow();
  let fd = openSync(path, 'a');
  let expected = '';
  const write = (text: string): void => {
    writeSync(fd, record(text));
    expected += `${text}\n`;
  };
  for (let round = 0; round < 20; round++) {
    for (let line = 0; line < 50; line++) write(`${round}.${line}`);
    for (let number = 3; number >= 1; number--) {
      try {
        renameSync(`${path}.${number}`, `${path}.${number + 1}`);
      } catch {
        // Not there yet.
      }
    }
    renameSync(path, `${path}.1`);
    write(`late ${round}`);
    // As conmon does it: a new file under another name, then a rename.
    closeSync(fd);
    fd = openSync(`${path}.tmp`, 'w');
    renameSync(`${path}.tmp`, path);
    write(`new ${round}`);
    const target = expected;
    if (round % 3 === 0) await sink.when(() => sink.text === target);
  }
  closeSync(fd);
  end();
  await done;
  expect(sink.text).toBe(expected);
});

test('a file dropped while it is read is read to its end', async () => {
  writeFileSync(path, record('a'));
  const { sink, done, end } = follow();
  await sink.when(() => sink.text === 'a\n');
  const fd = openSync(path, 'a');
  unlinkSync(path);
  writeSync(fd, record('b'));
  closeSync(fd);
  writeFileSync(path, record('c'));
  end();
  await done;
  expect(sink.text).toBe('a\nb\nc\n');
});

test('a truncated file is read from its new beginning', async () => {
  writeFileSync(path, record('a'.repeat(500)));
  const { sink, done, end } = follow();
  await sink.when(() => sink.text.endsWith('a\n'));
  truncateSync(path);
  appendFileSync(path, record('b'));
  await sink.when(() => sink.text.endsWith('b\n'));
  end();
  await done;
});

test('without follow a growing log ends at what was there', async () => {
  writeFileSync(path, record('x').repeat(1000));
  const sink = new Collector();
  const append = sink.write.bind(sink);
  sink.write = (stream, chunk) => {
    appendFileSync(path, record('x').repeat(5000));
    return append(stream, chunk);
  };
  await readLogs({ path, options: everything, details: '', sink, signal: new AbortController().signal, ended: () => false });
  expect(sink.text).toBe('x\n'.repeat(1000));
});
