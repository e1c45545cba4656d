import { expect, test } from 'bun:test';
import { parseArguments } from './args.ts';

const table = [
  { name: 'detach', short: 'd', isSwitch: true },
  { name: 'user', short: 'u', isSwitch: false },
  { name: 'env', isSwitch: false },
];

function parse(line: string, interspersed = true) {
  const { flags, positionals } = parseArguments(line.split(' '), table, { interspersed });
  return [flags.map(({ flag, value }) => `${flag.name}=${value}`).join(' '), positionals.join(' ')];
}

test('the guide\'s spellings of run -d -u root are equal (1.2.3.3)', () => {
  for (const line of ['-du=root', '-du root', '-d -u=root', '-d -u root', '-d --user=root', '-d --user root']) {
    expect(parse(`${line} busybox`)).toEqual(['detach=true user=root', 'busybox']);
  }
  expect(parse('-ud root busybox')).toEqual(['user=root detach=true', 'busybox']);
});

test('what is not a short flag is refused', () => {
  expect(() => parse('-du:root busybox')).toThrow('unknown shorthand flag: \':\' in -du:root');
  expect(() => parse('-uroot')).toThrow('unknown shorthand flag: \'r\' in -uroot');
  expect(() => parse('-=x')).toThrow('unknown shorthand flag: \'=\' in -=x');
  expect(() => parse('--nope=1')).toThrow('unknown flag: --nope');
});

test('a value may hold an equals sign, be empty, or begin with a dash', () => {
  expect(parse('--env=A=B -u= --env -x')).toEqual(['env=A=B user= env=-x', '']);
});

test('a missing value is named', () => {
  expect(() => parse('--user')).toThrow('flag needs an argument: --user');
  expect(() => parse('-du')).toThrow('flag needs an argument: \'u\' in -du');
});

test('positionals, -- and - ', () => {
  expect(parse('a -d b')).toEqual(['detach=true', 'a b']);
  expect(parse('-d a -u b', false)).toEqual(['detach=true', 'a -u b']);
  expect(parse('-d -- -u b')).toEqual(['detach=true', '-u b']);
  expect(parse('- -d')).toEqual(['detach=true', '-']);
  expect(parse('--detach=false')).toEqual(['detach=false', '']);
});
