import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { dropOwnCode } from './own-code.ts';

/** Resident memory of this program's machine code, in kB. */
function residentCode(): number {
  const parts = readFileSync('/proc/self/smaps', 'latin1').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const code = parts.filter((part) => / r-xp /.test(part.split('\n', 1)[0] ?? '') && part.split('\n', 1)[0]?.endsWith(process.execPath));
  return code.reduce((sum, part) => sum + Number(/^Rss:\s+(\d+)/m.exec(part)?.[1] ?? 0), 0);
}

test('machine code that does not run leaves memory, and comes back when it runs', () => {
  const before = residentCode();
  dropOwnCode();
  const after = residentCode();
  expect(before).toBeGreaterThan(0);
  expect(after).toBeLessThan(before);
  expect(JSON.parse(JSON.stringify({ still: ['runs'] }))).toEqual({ still: ['runs'] });
});
