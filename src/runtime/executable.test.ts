import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { formatOf } from './executable.ts';

test('a dynamic program names its machine and its interpreter', () => {
  const format = formatOf(readFileSync('/usr/bin/env').subarray(0, 4096));
  expect(format.kind).toBe('elf');
  expect(format.interpreter).toMatch(/^\/lib.*ld-linux/);
});

test('scripts, with spaces and arguments', () => {
  expect(formatOf(Buffer.from('#! /bin/sh -e\nx'))).toEqual({ kind: 'script', interpreter: '/bin/sh' });
  expect(formatOf(Buffer.from('#!'))).toEqual({ kind: 'script', interpreter: '' });
});

test('whatever bytes come, it gives an answer', () => {
  let seed = 7;
  const elf = readFileSync('/usr/bin/env').subarray(0, 1024);
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(elf.subarray(0, 20 + (round % 1000)));
    for (let n = 0; n < 8; n++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      bytes[4 + (seed % (bytes.length - 4))] = seed & 0xff;
    }
    expect(['elf', 'script', 'other']).toContain(formatOf(bytes).kind);
  }
  expect(formatOf(Buffer.alloc(0)).kind).toBe('other');
});
