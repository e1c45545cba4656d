import { expect, test } from 'bun:test';
import { isIP } from 'node:net';
import { ipVersion } from './ip.ts';

test('known addresses', () => {
  for (const text of [
    '1.2.3.4', '255.255.255.255', '256.1.1.1', '01.2.3.4', '1.2.3', '1.2.3.4.', '', '::', '::1', '1::', 'fe80::1%eth0', 'fe80::1%', '1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', '1::2::3', ':::', '::ffff:1.2.3.4', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', '12345::',
    'g::', ':1', '1:',
  ]) expect([text, ipVersion(text)]).toEqual([text, isIP(text) === 4 ? 4 : isIP(text) === 6 ? 6 : 0]);
});

test('agrees with node:net on random texts', () => {
  let seed = 7;
  const next = (n: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * n);
  };
  const pieces = ['1', 'ff', '::', ':', '.', '255', '0', 'abcd', '10.0.0.1', '12'];
  for (let round = 0; round < 5000; round++) {
    const text = Array.from({ length: next(16) }, () => pieces[next(pieces.length)]).join('');
    expect([text, Number(ipVersion(text))]).toEqual([text, isIP(text)]);
  }
});
