import { expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { silentLogger } from '../base/index.ts';
import { resolveCdi } from './cdi.ts';

test('devices by name: edits of the specification once, then of each device; later directories go before', () => {
  const root = mkdtempSync('/tmp/isula-cdi-');
  const [low, high] = [`${root}/etc`, `${root}/run`];
  mkdirSync(low);
  mkdirSync(high);
  const spec = (devices: unknown[], edits: unknown = {}): string => (
    JSON.stringify({ cdiVersion: '0.6.0', kind: 'vendor.com/net', containerEdits: edits, devices })
  );
  writeFileSync(`${low}/a.json`, spec([
    { name: 'zero', containerEdits: { deviceNodes: [{ path: '/dev/card0', hostPath: '/dev/zero', permissions: 'rw' }], additionalGIDs: [44] } },
    { name: 'one', containerEdits: { env: ['ONE=low'] } },
  ], { env: ['ALL=1'], mounts: [{ hostPath: '/lib', containerPath: '/vlib', options: ['ro', 'rslave', 'nosuid'] }] }));
  writeFileSync(`${high}/b.yaml`, [
    'cdiVersion: "0.6.0"', 'kind: vendor.com/net', 'devices:', '  - name: one', '    containerEdits:', '      env:', '        - ONE=high',
    '      hooks:', '        - hookName: createContainer', '          path: /bin/hook', '          timeout: 3', '',
  ].join('\n'));
  writeFileSync(`${high}/broken.json`, '{');
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const names = (...list: string[]): ReturnType<typeof resolveCdi> => (
    resolveCdi(list.map((name) => `vendor.com/net=${name}`), logger, [low, high, `${root}/none`])
  );
  expect(names('zero', 'one', 'zero')).toEqual({
    env: ['ALL=1', 'ONE=high'], devices: [{ PathOnHost: '/dev/zero', PathInContainer: '/dev/card0', CgroupPermissions: 'rw' }],
    mounts: [{ type: 'bind', source: '/lib', target: '/vlib', readOnly: true, propagation: 'rslave', options: ['nosuid'] }],
    hooks: { createContainer: [{ path: '/bin/hook', args: [], env: [], timeout: 3 }] }, additionalGids: [44],
  });
  expect(warnings.length).toBe(1);
  expect(() => names('two')).toThrow('unresolvable CDI devices vendor.com/net=two');
  expect(() => resolveCdi(['nonsense'], logger, [low])).toThrow('no qualified name');
  expect(resolveCdi([], logger, [low]).env).toEqual([]);
  writeFileSync(`${high}/c.json`, spec([{ name: 'one' }]));
  expect(() => names('one')).toThrow('conflicting device');
  for (const [edits, message] of [
    [{ deviceNodes: [{ path: '/dev/none-such' }] }, 'does not exist'],
    [{ deviceNodes: [{ path: '/dev/null', uid: 5 }] }, 'uid of device /dev/null is not supported'],
    [{ deviceNodes: [{}] }, 'path is missing'],
    [{ env: ['X'] }, 'NAME=VALUE'],
    [{ env: 'X=1' }, 'env must be a list'],
    [{ intelRdt: {} }, 'is not supported'],
    [{ hooks: [{ hookName: 'never', path: '/x' }] }, 'unknown hook'],
    [{ hooks: [{ hookName: 'prestart', path: 'x' }] }, 'must be absolute'],
    [{ additionalGIDs: ['x'] }, 'group ids'],
  ] as const) {
    writeFileSync(`${high}/c.json`, spec([{ name: 'three', containerEdits: edits }]));
    expect(() => names('three')).toThrow(message);
  }
  rmSync(root, { recursive: true });
});
