import { expect, test } from 'bun:test';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { isEngineError } from '../base/index.ts';
import { loadHooks, mergeHooks } from './hooks.ts';

function refusal(path: string): string {
  try {
    loadHooks(path);
  } catch (error) {
    return isEngineError(error, 'invalidArgument') ? error.message : `not the right error: ${String(error)}`;
  }
  return 'no error';
}

test('every rule has its message', () => {
  const dir = mkdtempSync('/tmp/isula-hooks-');
  const file = (name: string, content: unknown): string => {
    writeFileSync(`${dir}/${name}`, typeof content === 'string' ? content : JSON.stringify(content));
    return `${dir}/${name}`;
  };
  const program = (name: string, mode: number, uid = 0): string => {
    writeFileSync(`${dir}/${name}`, '#!/bin/sh\n');
    chmodSync(`${dir}/${name}`, mode);
    chownSync(`${dir}/${name}`, uid, 0);
    return `${dir}/${name}`;
  };
  try {
    const good = program('good', 0o755);
    const prestart = [{ path: good, args: ['good', 'x'], env: ['A=1'], timeout: 5 }];
    expect(loadHooks(file('ok.json', { prestart, poststop: null, poststart: [] }))).toEqual({ prestart, poststart: [] });
    symlinkSync(`${dir}/ok.json`, `${dir}/link.json`);
    mkdirSync(`${dir}/directory`);
    truncateSync(file('large.json', '{}'), 10 * 1024 * 1024 + 1);
    expect(refusal('rel.json')).toContain('the path must be absolute');
    expect(refusal(`${dir}/none.json`)).toContain('does not exist');
    expect(refusal(`${dir}/link.json`)).toContain('not a symbolic link');
    expect(refusal(`${dir}/directory`)).toContain('must be a regular file');
    expect(refusal(`${dir}/large.json`)).toContain('larger than 10MB');
    expect(refusal(file('text.json', 'prestart'))).toContain('not JSON');
    expect(refusal(file('list.json', []))).toContain('want a JSON object');
    const hooks: [unknown, string][] = [
      [{ prestart: {} }, 'prestart must be a list'],
      [{ precreate: [] }, 'unknown kind of hook "precreate"'],
      [{ prestart: Array(300).fill({ path: good }) }, 'more than 256 hooks'],
      [{ prestart: ['x'] }, 'want an object'],
      [{ prestart: [{}] }, 'path is required'],
      [{ prestart: [{ path: good, when: 1 }] }, 'unknown field "when"'],
      [{ prestart: [{ path: 'good' }] }, 'must be absolute'],
      [{ prestart: [{ path: `${dir}/none` }] }, 'does not exist'],
      [{ prestart: [{ path: dir }] }, 'no regular file'],
      [{ prestart: [{ path: program('other', 0o755, 1000) }] }, 'must be root'],
      [{ prestart: [{ path: program('writable', 0o775) }] }, 'only root may have write permission'],
      [{ prestart: [{ path: program('plain', 0o644) }] }, 'not executable'],
      [{ prestart: [{ path: good, args: 'x' }] }, 'args must be a list of strings'],
      [{ prestart: [{ path: good, env: ['A'] }] }, 'NAME=VALUE'],
      [{ prestart: [{ path: good, timeout: 0 }] }, 'timeout must be larger than 0'],
      [{ prestart: [{ path: good, timeout: -3 }] }, 'timeout must be larger than 0'],
      [{ prestart: [{ path: good, timeout: 1.5 }] }, 'whole number'],
      [{ prestart: [{ path: good, timeout: '5' }] }, 'whole number'],
      [{ prestart: [{ path: good, timeout: 121 }] }, 'not be larger than 120'],
    ];
    for (const [content, message] of hooks) expect(refusal(file('case.json', content))).toContain(message);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("the daemon's hooks come first", () => {
  const a = { path: '/a' };
  const b = { path: '/b' };
  expect(mergeHooks({ prestart: [a], poststop: [a] }, { prestart: [b], poststart: [b] }))
    .toEqual({ prestart: [a, b], poststop: [a], poststart: [b] });
  expect(mergeHooks(undefined, { prestart: [] })).toBeUndefined();
});
