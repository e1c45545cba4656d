import { describe, expect, test } from 'bun:test';
import { applyChanges } from './changes.ts';

describe('Dockerfile instructions', () => {
  test.each<[string, object]>([
    ['CMD ["a", "b c"]', { Cmd: ['a', 'b c'] }],
    ['cmd echo $HOME', { Cmd: ['/bin/sh', '-c', 'echo $HOME'] }],
    ['ENTRYPOINT ["x"]', { Entrypoint: ['x'] }],
    ['ENV A=1 B="2 3" C=4\\ 5', { Env: ['A=1', 'B=2 3', 'C=4 5'] }],
    ['ENV A the rest of it', { Env: ['A=the rest of it'] }],
    ['EXPOSE 80 53/udp 90-91', { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '90/tcp': {}, '91/tcp': {} } }],
    ['LABEL a=b "c d"=\'e f\'', { Labels: { a: 'b', 'c d': 'e f' } }],
    ['VOLUME ["/a", "/b"]', { Volumes: { '/a': {}, '/b': {} } }],
    ['VOLUME /a /b', { Volumes: { '/a': {}, '/b': {} } }],
    ['USER me:us', { User: 'me:us' }],
    ['WORKDIR /a/../b', { WorkingDir: '/b' }],
    ['WORKDIR /a\nWORKDIR b', { WorkingDir: '/a/b' }],
    ['STOPSIGNAL SIGQUIT', { StopSignal: 'SIGQUIT' }],
    ['ONBUILD RUN x', { OnBuild: ['RUN x'] }],
    ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
    ['HEALTHCHECK --interval=1m30s --retries=2 CMD curl x', { Healthcheck: { Interval: 90e9, Retries: 2, Test: ['CMD-SHELL', 'curl x'] } }],
    ['CMD a \\\n b', { Cmd: ['/bin/sh', '-c', 'a  b'] }],
    ['# remark', {}],
  ])('%s', (change, config) => {
    expect(applyChanges({}, [change])).toEqual(config);
  });

  test.each([
    ['RUN x', 'RUN is not a valid change command'],
    ['CMD', 'CMD requires at least one argument'],
    ['ENV A', 'Must be of the form: name=value'],
    ['ENV =x', 'ENV names can not be blank'],
    ['ENV "A=b', 'looking for matching double-quote'],
    ['EXPOSE 70000', 'Invalid containerPort: 70000'],
    ['EXPOSE 1-x', 'Invalid containerPort: 1-x'],
    ['USER a b', 'USER requires exactly one argument'],
    ['ONBUILD ONBUILD RUN x', 'Chaining ONBUILD'],
    ['HEALTHCHECK --x=1s CMD y', 'Unknown flag: x'],
    ['HEALTHCHECK --timeout=5 CMD y', 'invalid duration: 5'],
    ['HEALTHCHECK RUN y', 'in HEALTHCHECK (try CMD)'],
  ])('refuses %s', (change, message) => {
    expect(() => applyChanges({}, [change])).toThrow(message);
  });

  test('what was there stays, and is not touched in place', () => {
    const before = { Env: ['A=1', 'B=2'], Labels: { x: 'y' } };
    expect(applyChanges(before, ['ENV B=3', 'LABEL z=1'])).toEqual({ Env: ['A=1', 'B=3'], Labels: { x: 'y', z: '1' } });
    expect(before).toEqual({ Env: ['A=1', 'B=2'], Labels: { x: 'y' } });
  });
});
