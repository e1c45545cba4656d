import { expect, test } from 'bun:test';
import { closeSync, ftruncateSync, readFileSync, writeSync } from 'node:fs';
import { sealedCopy } from './memfd.ts';

test('a sealed copy runs and cannot be changed', () => {
  const fd = sealedCopy('/bin/busybox');
  try {
    const path = `/proc/${process.pid}/fd/${fd}`;
    expect(readFileSync(path).equals(readFileSync('/bin/busybox'))).toBe(true);
    expect(Bun.spawnSync([path, 'hello'], { argv0: 'echo', env: {} }).stdout.toString()).toContain('hello');
    expect(() => writeSync(fd, new Uint8Array(1), 0, 1, 0)).toThrow('EPERM');
    expect(() => ftruncateSync(fd, 0)).toThrow('EPERM');
  } finally {
    closeSync(fd);
  }
});
