import { expect, test } from 'bun:test';
import { FrameScanner } from './h2-frames.ts';
import { StreamWindows } from './h2-windows.ts';

function frame(type: number, flags: number, streamId: number, payload: Buffer | number[] = []): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, body]);
}

function settings(...pairs: [id: number, value: number][]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(4, 0, 0, payload);
}

function update(streamId: number, increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(8, 0, streamId, payload);
}

const headers = (streamId: number): Buffer => frame(1, 0x4, streamId, [1, 2, 3]);
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

function shim() {
  const windows = new StreamWindows();
  const scanner = new FrameScanner(windows, preface.length);
  const scan = (...chunks: Buffer[]): Buffer => Buffer.concat(chunks.flatMap((chunk) => scanner.scan(chunk)));
  return { windows, scan };
}

/** SETTINGS whose initial window the server is not to see. */
const hidden = (value: number): Buffer => settings([0xfff0, value]);

test('the first settings pass unchanged; a raise is told as window updates to open streams and to those that come', () => {
  const { scan } = shim();
  expect(scan(preface, settings([3, 100], [4, 100_000]))).toEqual(Buffer.concat([preface, settings([3, 100], [4, 100_000])]));
  expect(scan(headers(1), headers(3))).toEqual(Buffer.concat([headers(1), headers(3)]));
  expect(scan(settings([4, 150_000]))).toEqual(Buffer.concat([hidden(150_000), update(1, 50_000), update(3, 50_000)]));
  expect(scan(headers(5))).toEqual(Buffer.concat([headers(5), update(5, 50_000)]));
});

test('without a first value the protocol\'s own is what the server believes', () => {
  const { scan } = shim();
  scan(preface, settings([3, 100]), headers(1));
  expect(scan(settings([4, 65_536]))).toEqual(Buffer.concat([hidden(65_536), update(1, 1)]));
});

test('a decrease is a debt that later updates pay, of open streams and of those that come', () => {
  const { scan } = shim();
  scan(preface, settings([4, 1000]), headers(1));
  expect(scan(settings([4, 400]))).toEqual(hidden(400));
  expect(scan(update(1, 500))).toEqual(Buffer.alloc(0));
  expect(scan(update(1, 300))).toEqual(update(1, 200));
  expect(scan(update(1, 50))).toEqual(update(1, 50));
  expect(scan(headers(3))).toEqual(headers(3));
  expect(scan(settings([4, 900]))).toEqual(Buffer.concat([hidden(900), update(1, 500)]));
  expect(scan(update(3, 150))).toEqual(update(3, 50));
});

test('headers that go on in CONTINUATION are not torn apart', () => {
  const { scan } = shim();
  scan(preface, settings([4, 10]));
  scan(settings([4, 30]));
  expect(scan(frame(1, 0, 1, [1]), frame(9, 0x4, 1, [2]))).toEqual(Buffer.concat([frame(1, 0, 1, [1]), frame(9, 0x4, 1, [2]), update(1, 20)]));
});

test('a stream is forgotten when the server ends it or either side resets it; acks and updates of the connection pass', () => {
  const { scan, windows } = shim();
  scan(preface, settings([4, 10]), headers(1), headers(3), headers(5));
  windows.sent({ length: 0, type: 1, flags: 0x5, streamId: 1 });
  scan(frame(3, 0, 3, [0, 0, 0, 8]));
  expect(windows.openStreams).toBe(1);
  expect(scan(settings([4, 11]))).toEqual(Buffer.concat([hidden(11), update(5, 1)]));
  expect(scan(frame(4, 1, 0), update(0, 99))).toEqual(Buffer.concat([frame(4, 1, 0), update(0, 99)]));
  // The client half-closes: the server still answers, and needs its window.
  scan(frame(0, 0x1, 5, [1]));
  expect(windows.openStreams).toBe(1);
});

test('what no honest client sends is refused: a huge frame, endless streams; too large a window is left to the server', () => {
  expect(() => shim().scan(preface, frame(4, 0, 0, Buffer.alloc(16_385)))).toThrow(RangeError);
  const { scan } = shim();
  expect(scan(preface, settings([4, 0x80000000]))).toEqual(Buffer.concat([preface, settings([4, 0x80000000])]));
  const flood = shim();
  flood.scan(preface, settings());
  expect(() => {
    for (let id = 1; id < 30_000; id += 2) flood.scan(headers(id));
  }).toThrow(RangeError);
});

test('the outcome does not depend on how the bytes are cut (seeded)', () => {
  const stream = Buffer.concat([
    preface, settings([3, 7], [4, 1000]), headers(1), frame(0, 0, 1, Buffer.alloc(700, 'd')), settings([4, 5000]), headers(3), frame(0, 1, 3, []),
    settings([4, 2000]), update(1, 2000), update(1, 1500), update(3, 1), frame(6, 0, 0, Buffer.alloc(8)), frame(3, 0, 1, [0, 0, 0, 0]),
    settings([4, 9000]),
  ]);
  const whole = shim().scan(stream);
  let seed = 12345;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % limit;
  };
  for (let round = 0; round < 200; round++) {
    const { scan } = shim();
    const out: Buffer[] = [];
    for (let at = 0; at < stream.length; ) {
      const size = 1 + random(round % 2 === 0 ? 5 : 60);
      // The chunk's memory is used again by its owner: views that outlive the call would show.
      const chunk = Buffer.from(stream.subarray(at, at + size));
      out.push(Buffer.from(scan(chunk)));
      chunk.fill(0xee);
      at += size;
    }
    expect(Buffer.concat(out).equals(whole)).toBe(true);
  }
});
