import { expect, test } from 'bun:test';
import { checkArgs, FlagValues, parseFlags, UsageError } from './parse.ts';
import { commonFlags } from './common.ts';
import type { CommandSpec } from './types.ts';

const spec: CommandSpec = {
  name: 'run', usage: '', summary: '', args: { min: 1, max: 2 }, interspersed: false,
  flags: [
    { name: 'detach', short: 'd', type: 'bool', help: '' }, { name: 'user', short: 'u', type: 'string', help: '' },
    { name: 'env', short: 'e', type: 'list', help: '' },
    { name: 'last', short: 'n', type: 'int', default: '-1', help: '' }, { name: 'sig-proxy', type: 'bool', default: 'true', help: '' },
    { name: 'hostname', short: 'h', type: 'string', help: '' }, { name: 'net', type: 'string', aliases: ['network'], help: '' },
  ],
};
const flags = [...spec.flags, ...commonFlags];
const values = (...argv: string[]): FlagValues => new FlagValues(flags, parseFlags(spec, flags, argv));

test('the guide\'s equivalents (1.2.3.3)', () => {
  for (
    const argv of [['-du=root', 'busybox'], ['-du', 'root', 'busybox'], ['-ud', 'root', 'busybox'], ['-d', '--user=root', 'busybox'],
    ['-d', '--user', 'root', 'busybox']]
  ) {
    const parsed = values(...argv);
    expect([parsed.bool('detach'), parsed.text('user'), parsed.parsed.args]).toEqual([true, 'root', ['busybox']]);
  }
  expect(() => values('-du:root', 'busybox')).toThrow("unknown shorthand flag: ':' in -du:root");
});

test('what follows the first argument belongs to the container', () => {
  const parsed = values('-e', 'A=1', '-e=B=2', 'busybox', 'ls', '-d', '--user', 'x');
  expect(parsed.list('env')).toEqual(['A=1', 'B=2']);
  expect(parsed.bool('detach')).toBe(false);
  expect(parsed.parsed.args).toEqual(['busybox', 'ls', '-d', '--user', 'x']);
  expect(values('--', '-d').parsed.args).toEqual(['-d']);
});

test('defaults, aliases, own short flags before the common ones', () => {
  const parsed = values('-h', 'name', '--network=none', 'x');
  expect(
    [parsed.int('last'), parsed.bool('sig-proxy'), parsed.text('hostname'), parsed.text('net'), parsed.bool('help')],
  ).toEqual([-1, true, 'name', 'none', false]);
  expect(values('--sig-proxy=false', 'x').bool('sig-proxy')).toBe(false);
});

test('docker\'s words for what cannot be read', () => {
  const cases: [string[], string][] = [
    [['--nope'], 'unknown flag: --nope'],
    [['-z'], "unknown shorthand flag: 'z' in -z"],
    [['--user'], 'flag needs an argument: --user'],
    [['-u'], "flag needs an argument: 'u' in -u"],
    [['--detach=maybe', 'x'], 'invalid argument "maybe" for "-d, --detach" flag: strconv.ParseBool: parsing "maybe": invalid syntax'],
    [['-n', 'x'], 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
  ];
  for (const [argv, message] of cases) expect(() => values(...argv)).toThrow(new UsageError(message));
  expect(() => checkArgs(spec, 0)).toThrow('"isula run" requires at least 1 argument.');
  expect(() => checkArgs(spec, 3)).toThrow('"isula run" requires at most 2 arguments.');
  expect(() => checkArgs({ ...spec, args: { min: 0, max: 0 } }, 1)).toThrow('"isula run" accepts no arguments.');
});
