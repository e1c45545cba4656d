import { expect, test } from 'bun:test';
import { alignRows, ellipsis } from './table.ts';
import { humanDuration } from '../../base/index.ts';
import { ago, binarySize, humanSize, momentOf, spacedSize } from './units.ts';

test('sizes in go-units\' words', () => {
  expect(
    [0, 999, 1000, 1_230_000, 1_000_000_000, 123_456_789].map((bytes) => humanSize(bytes)),
  ).toEqual(['0B', '999B', '1kB', '1.23MB', '1GB', '123MB']);
  expect(spacedSize(1_273_000)).toBe('1.273 MB');
  expect([680 * 1024, 25_280_000_000].map(binarySize)).toEqual(['680KiB', '23.54GiB']);
});

test('durations in go-units\' words', () => {
  const minute = 60_000;
  const hour = 60 * minute;
  const table: [number, string][] = [
    [500, 'Less than a second'], [1000, '1 second'], [59_000, '59 seconds'], [61_000, 'About a minute'], [13 * minute, '13 minutes'],
    [hour, 'About an hour'],
    [hour * 1.6, '2 hours'], [47 * hour, '47 hours'], [48 * hour, '2 days'], [14 * 24 * hour, '2 weeks'], [61 * 24 * hour, '2 months'],
    [800 * 24 * hour, '2 years'],
  ];
  for (const [ms, text] of table) expect([ms, humanDuration(ms)]).toEqual([ms, text]);
  expect(ago(0, 5000)).toBe('5 seconds ago');
  expect(momentOf('0001-01-01T00:00:00Z')).toBeUndefined();
});

test('columns as docker\'s tabwriter pads them', () => {
  expect(alignRows([['REPOSITORY', 'TAG', 'SIZE'], ['busybox', 'latest', '1MB']])).toBe('REPOSITORY   TAG       SIZE\nbusybox      latest    1MB\n');
  expect(alignRows([])).toBe('');
  expect(alignRows([['一', 'x']])).toBe('一        x\n');
  expect(ellipsis('abcdef', 4)).toBe('abc…');
});
