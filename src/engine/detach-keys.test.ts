import { expect, test } from 'bun:test';
import { isEngineError } from '../base/index.ts';
import { DetachFilter, parseDetachKeys } from './detach-keys.ts';

function feed(filter: DetachFilter, ...chunks: string[]): { text: string; detached: boolean } {
  let text = '';
  for (const chunk of chunks) {
    const result = filter.push(new TextEncoder().encode(chunk));
    text += new TextDecoder().decode(result.data);
    if (result.detached) return { text, detached: true };
  }
  return { text, detached: false };
}

test('the grammar of docker', () => {
  expect([...parseDetachKeys('')]).toEqual([16, 17]);
  expect([...parseDetachKeys('ctrl-a,x,ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL')]).toEqual([1, 120, 0, 27, 28, 29, 30, 31, 127]);
  for (const bad of ['ctrl-', 'ctrl-A', 'ctrl-aa', 'xy', 'a,,b', 'ü', Array(40).fill('a').join(',')]) {
    let caught: unknown;
    try {
      parseDetachKeys(bad);
    } catch (error) {
      caught = error;
    }
    expect(isEngineError(caught, 'invalidArgument')).toBe(true);
  }
});

test('finds the sequence within a chunk and across chunks, and drops what follows', () => {
  expect(feed(new DetachFilter(parseDetachKeys('')), 'abc\x10\x11def')).toEqual({ text: 'abc', detached: true });
  expect(feed(new DetachFilter(parseDetachKeys('')), 'abc\x10', '\x11def')).toEqual({ text: 'abc', detached: true });
});

test('passes on what only began like it', () => {
  const filter = new DetachFilter(parseDetachKeys(''));
  expect(feed(filter, 'a\x10', 'b', '\x10')).toEqual({ text: 'a\x10b', detached: false });
  expect([...filter.flush()]).toEqual([16]);
  expect(filter.flush().length).toBe(0);
});

test('a false start may hold a true one', () => {
  expect(feed(new DetachFilter(parseDetachKeys('p,p,q')), 'p', 'p', 'p', 'q')).toEqual({ text: 'p', detached: true });
  expect(feed(new DetachFilter(parseDetachKeys('a,b,a,c')), 'ababac')).toEqual({ text: 'ab', detached: true });
});

test('whatever the chunks, nothing is lost or doubled', () => {
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let round = 0; round < 300; round++) {
    const keys = Array.from({ length: 1 + random(4) }, () => 'ab'[random(2)] ?? 'a').join(',');
    const sequence = keys.replaceAll(',', '');
    const text = Array.from({ length: random(30) }, () => 'abc'[random(3)] ?? 'a').join('');
    const chunks: string[] = [];
    for (let at = 0; at < text.length;) {
      const end = at + 1 + random(4);
      chunks.push(text.slice(at, end));
      at = end;
    }
    const filter = new DetachFilter(parseDetachKeys(keys));
    const got = feed(filter, ...chunks);
    const at = text.indexOf(sequence);
    expect(got.detached).toBe(at >= 0);
    if (at >= 0) expect(got.text).toBe(text.slice(0, at));
    else expect(got.text + new TextDecoder().decode(filter.flush())).toBe(text);
  }
});
