import { expect, test } from 'bun:test';
import { withValidAuthority } from './h2-authority.ts';

function headers(block: number[] | Buffer, flags = 0x4): Buffer {
  const body = Buffer.from(block);
  const frame = Buffer.alloc(9 + body.length);
  frame.writeUIntBE(body.length, 0, 3);
  frame[3] = 1;
  frame[4] = flags;
  frame[8] = 1;
  body.copy(frame, 9);
  return frame;
}

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];

test('a socket path in a plain literal becomes a host of the same length; what stands around it stays', () => {
  const block = [0x83, 0x86, 0x41, ...text('/run/isulad.sock'), 0x40, ...text('te'), ...text('trailers')];
  const want = [0x83, 0x86, 0x41, ...text('-run-isulad.sock'), 0x40, ...text('te'), ...text('trailers')];
  expect(withValidAuthority(headers(block))).toEqual(headers(want));
  const padded = headers([2, ...block, 0, 0], 0xc);
  expect(withValidAuthority(padded)).toEqual(headers([2, ...want, 0, 0], 0xc));
  const priority = headers([0, 0, 0, 0, 16, ...block], 0x24);
  expect(withValidAuthority(priority)).toEqual(headers([0, 0, 0, 0, 16, ...want], 0x24));
});

test('Huffman-coded values are read (RFC 7541, appendix C.4.1), and changed ones are sent plain', () => {
  // www.example.com
  const example = [0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
  expect(withValidAuthority(headers(example))).toEqual(headers(example));
  // "/a": 011000 00011, padded with ones
  expect(withValidAuthority(headers([0x41, 0x82, 0x60, 0x7f]))).toEqual(headers([0x41, ...text('-a')]));
});

test('a long path keeps its length over the limits of the length\'s own coding', () => {
  const path = `/${'d/'.repeat(100)}s`;
  const changed = withValidAuthority(headers(Buffer.concat([Buffer.from([0x01, 0x7f, path.length - 127]), Buffer.from(path)])));
  expect(changed.subarray(9)).toEqual(Buffer.concat([Buffer.from([0x01, 0x7f, path.length - 127]), Buffer.from(path.replaceAll('/', '-'))]));
});

test('hostile blocks pass unchanged and never throw (seeded)', () => {
  let seed = 7;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % limit;
  };
  for (let round = 0; round < 5000; round++) {
    const frame = headers(Array.from({ length: random(40) }, () => (random(4) === 0 ? 0x41 : random(256))), random(256));
    const out = withValidAuthority(frame);
    expect(out.readUIntBE(0, 3)).toBe(out.length - 9);
  }
});
