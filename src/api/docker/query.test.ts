import { expect, test } from 'bun:test';
import { Query } from './query.ts';

test('booleans as docker reads them', () => {
  const query = new Query('a=1&b=0&c=&d=False&e=no&f=NONE&g=anything&h=true');
  expect([...'abcdefghi'].map((name) => query.boolean(name))).toEqual([true, false, false, false, false, false, true, true, false]);
  expect(query.boolean('missing', true)).toBe(true);
  expect(query.boolean('b', true)).toBe(false);
});

test('integers, timestamps and filters: values and errors', () => {
  const query = new Query('n=-5&empty=&bad=1x&big=99999999999999999999&t=1700000000.25&zero=0&tbad=yesterday&filters={"label":{"a":true,"b":false}}');
  expect([query.integer('n'), query.integer('empty'), query.integer('missing')]).toEqual([-5, undefined, undefined]);
  expect(() => query.integer('bad')).toThrow('invalid value "1x" for bad: want an integer');
  expect(() => query.integer('big')).toThrow('want an integer');
  expect([query.timestamp('t'), query.timestamp('zero'), query.timestamp('missing')]).toEqual([1_700_000_000_250, undefined, undefined]);
  expect(() => query.timestamp('tbad')).toThrow('want seconds[.nanoseconds] since the epoch');
  expect([...query.filters()]).toEqual([['label', ['a']]]);
  expect(() => new Query('filters=[1').filters()).toThrow('invalid filters');
  expect(() => new Query('&a=1'.repeat(5000))).toThrow('too many query parameters');
});
