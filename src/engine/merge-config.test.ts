import { expect, test } from 'bun:test';
import { defaultContainerConfig, defaultHostConfig } from '../model/index.ts';
import { mergeImageConfig } from './merge-config.ts';

const host = defaultHostConfig();
const image = {
  Entrypoint: ['/entry'], Cmd: ['a'], Env: ['A=1', 'PATH=/opt'], User: 'web', WorkingDir: '/srv', Labels: { x: '1', y: '1' },
  StopSignal: 'SIGUSR1',
};

test.each([
  [null, null, ['/entry', 'a']],
  [null, ['b'], ['/entry', 'b']],
  [['/mine'], null, ['/mine']],
  [['/mine'], ['c'], ['/mine', 'c']],
  [[''], ['c'], ['c']],
] as const)('entrypoint %j and command %j run %j', (entrypoint, cmd, expected) => {
  const request = { ...defaultContainerConfig(), Entrypoint: entrypoint && [...entrypoint], Cmd: cmd && [...cmd] };
  expect(mergeImageConfig(request, image, host).args).toEqual([...expected]);
});

test('environment and labels are merged, the request winning; a bare name removes a variable', () => {
  const request = { ...defaultContainerConfig(), Env: ['A=2', 'B=3'], Labels: { y: '2' } };
  const { config } = mergeImageConfig(request, image, host);
  expect(config.Env).toEqual(['PATH=/opt', 'A=2', 'B=3']);
  expect(config.Labels).toEqual({ x: '1', y: '2' });
  expect(config).toMatchObject({ User: 'web', WorkingDir: '/srv', StopSignal: 'SIGUSR1' });
  expect(mergeImageConfig({ ...defaultContainerConfig(), Env: ['A'] }, image, host).config.Env).toEqual(['PATH=/opt']);
});

test('the host name is localhost where the guide says so', () => {
  const named = (changes: Partial<typeof host>) => mergeImageConfig(defaultContainerConfig(), undefined, { ...host, ...changes }).config.Hostname;
  expect(named({})).toBe('localhost');
  expect(named({ NetworkMode: 'none' })).toBe('localhost');
  expect(named({ NetworkMode: 'host' })).toBe('');
  expect(named({ UTSMode: 'host' })).toBe('');
});

test("the command line's health check fills its gaps from the image's, NONE turns it off", () => {
  const check = { Test: ['CMD', 'true'], Interval: 5e9, Retries: 4 };
  const merged = (Healthcheck: object) =>
    mergeImageConfig({ ...defaultContainerConfig(), Healthcheck }, { Healthcheck: check }, host).config.Healthcheck;
  expect(merged({ Retries: 2 })).toEqual({ Test: ['CMD', 'true'], Interval: 5e9, Retries: 2 });
  expect(merged({ Test: ['NONE'] })).toEqual({ Test: ['NONE'] });
});
