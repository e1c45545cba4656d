import { expect, test } from 'bun:test';
import { deadExports } from './exports.ts';
import { sourceOf, type Source } from './source.ts';
import { structureProblems } from './structure.ts';
import { textProblems } from './text.ts';

function sources(files: Record<string, string>): Source[] {
  return Object.entries(files).map(([path, text]) => sourceOf(path, text));
}

function textOf(code: string): string[] {
  return textProblems(sourceOf('src/a.ts', `${code}\n`)).map((problem) => problem.replace(/^src\/a\.ts:\d+: /, ''));
}

test('comments, strings, templates and regular expressions are not code', () => {
  const text = 'const a = \'x as any\'; // y!.z\nconst b = `q ${a + "as any"} as any`; /* as any */ const c = /as any\'/.test(a);\nd';
  const { code } = sourceOf('a.ts', text);
  expect(code).not.toContain('any');
  expect(code).toContain('${a + "');
  expect(code.endsWith('.test(a);\nd')).toBe(true);
});

test('what silences the compiler is found, what looks like it is not', () => {
  const badOnes = ['let a: any;', 'f<any>()', 'a!.b', 'f(a!)', 'b[0]!;', 'x as Foo', 'x as { a: 1 }', '// @ts-' + 'ignore', '// TO' + 'DO'];
  for (const bad of badOnes) {
    expect([bad, textOf(bad).length]).toEqual([bad, 1]);
  }
  const renames = ['import { a as b } from \'./b.ts\';', 'export * as c from \'./c.ts\';'];
  for (const good of ['a != b', 'a !== b', 'if (!a) b(!c)', 'x as const', 'Promise.any(x)', '// has any!', ...renames]) {
    expect([good, textOf(good)]).toEqual([good, []]);
  }
});

test('lengths, skipped tests', () => {
  expect(textOf('x'.repeat(151))).toEqual(['151 characters, the limit is 150']);
  expect(textOf('a;\n'.repeat(400))).toEqual(['401 lines, the limit is 400']);
  expect(textOf('test.skip(\'a\', () => {});')).toEqual(['a skipped test without a reason']);
  expect(textOf('// needs a kernel with X\ntest.skip(\'a\', () => {});')).toEqual([]);
});

test('layers, doors, cycles, foreign calls', () => {
  const problems = structureProblems(sources({
    'src/base/index.ts': 'import { run } from \'../engine/index.ts\';',
    'src/engine/index.ts': 'export * from \'./run.ts\';',
    'src/engine/run.ts': 'import { a } from \'../images/store.ts\';\nimport \'bun:ffi\';\nimport { dlopen } from \'bun:ffi\';',
    'src/images/index.ts': 'import type { V } from \'../volumes/index.ts\';',
    'src/images/store.ts': 'import { b } from \'./other.ts\';\nimport { c } from \'./gone.ts\';',
    'src/images/other.ts': 'import { a } from \'./store.ts\';',
    'src/volumes/index.ts': '',
    'src/cli/main.ts': 'import { x } from \'../state/index.ts\';',
    'src/state/index.ts': '',
    'src/main.ts': 'import(\'./cli/main.ts\');',
  }));
  expect(problems).toEqual([
    'src/base/index.ts:1: base imports engine: imports point downward only',
    'src/engine/run.ts:1: imports src/images/store.ts: use the door src/images/index.ts',
    'src/engine/run.ts:3: bun:ffi is used in src/linux only',
    'src/images/index.ts:1: images imports volumes: imports point downward only',
    'src/images/store.ts:2: imports src/images/gone.ts, which is not there',
    'src/cli/main.ts:1: cli imports state: it may know the API alone',
    'import cycle: src/images/store.ts -> src/images/other.ts -> src/images/store.ts',
  ]);
});

test('dead exports', () => {
  const problems = deadExports(sources({
    'src/a/index.ts': 'export * from \'./a.ts\';',
    'src/a/a.ts': 'export const used = 1;\nexport const dead = 2;\nexport function tested() {}\nexport type Alone = 1;\n'
      + 'export interface Shape { a: 1 }\nlet s: Shape;',
    'src/a/a.test.ts': 'import { tested } from \'./a.ts\';',
    'src/b.ts': 'import { used } from \'./a/index.ts\';',
    'src/c.ts': 'import(\'./d.ts\');',
    'src/d.ts': 'export function main() {}',
  }));
  expect(problems).toEqual([
    'src/a/a.ts:2: export dead is used by no other file',
    'src/a/a.ts:3: export tested is used by tests alone',
    'src/a/a.ts:4: export Alone is used by no other file',
  ]);
});
