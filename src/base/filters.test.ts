import { expect, test } from 'bun:test';
import { booleanFilter, checkFilters, decodeFilters, lacksLabels, matchesLabels } from './filters.ts';

test('both JSON forms decode', () => {
  expect([...decodeFilters('{"label":{"a=1":true,"b":true,"c":false},"name":["x"]}')]).toEqual([['label', ['a=1', 'b']], ['name', ['x']]]);
  expect(decodeFilters('').size).toBe(0);
});

test('what is no filter is refused', () => {
  for (const bad of ['[]', '1', '{', '{"a":1}', '{"a":[1]}', `{"a":["${'x'.repeat(70_000)}"]}`, JSON.stringify({ a: Array(1001).fill('x') })]) {
    expect(() => decodeFilters(bad)).toThrow('invalid filter');
  }
  expect(() => checkFilters(new Map([['nope', []]]), ['name'])).toThrow("invalid filter 'nope'");
});

test('yes or no', () => {
  expect(booleanFilter(new Map(), 'dangling')).toBeUndefined();
  expect(booleanFilter(new Map([['dangling', ['1', 'true']]]), 'dangling')).toBe(true);
  expect(booleanFilter(new Map([['dangling', ['false']]]), 'dangling')).toBe(false);
  for (const values of [['maybe'], ['true', 'false']]) {
    expect(() => booleanFilter(new Map([['dangling', values]]), 'dangling')).toThrow('invalid filter');
  }
});

test('labels: all that are asked for, none that are excluded', () => {
  const labels = { a: '1', b: '' };
  expect(matchesLabels(new Map([['label', ['a', 'a=1', 'b=']]]), labels)).toBe(true);
  expect(matchesLabels(new Map([['label', ['a=2']]]), labels)).toBe(false);
  expect(matchesLabels(new Map([['label', ['toString']]]), labels)).toBe(false);
  expect(lacksLabels(new Map([['label!', ['c']]]), labels)).toBe(true);
  expect(lacksLabels(new Map([['label!', ['a=1']]]), labels)).toBe(false);
});
