import { lineAt, type Source } from './source.ts';

const declaration = /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(function\*?|const|let|class|interface|type|enum)\s+([\w$]+)/gm;

/** For tests alone, and why they stand in the product's files. */
const forTests: Readonly<Record<string, string>> = {
  silentLogger: 'what every unit test hands to the code that logs',
};

/** Exported names that nothing needs exported: a value no other file imports, a type that is used nowhere. */
export function deadExports(sources: readonly Source[]): string[] {
  const importers = new Map<string, Set<string>>();
  const wholly = new Set<string>();
  const byPath = new Map(sources.map((source) => [source.path, source]));
  for (const source of sources) {
    for (const item of source.imports) {
      if (!item.isRelative) continue;
      // A door hands on; who comes through it counts. A namespace or an import at run time may use everything.
      if (item.isStar && !item.isReexport) open(item.target, byPath, wholly, importers);
      if (item.isReexport) continue;
      for (const name of item.names) importers.set(name, (importers.get(name) ?? new Set()).add(source.path));
    }
  }
  return sources.filter(({ path }) => path.startsWith('src/') && !isForTests(path) && !wholly.has(path)).flatMap((source) => {
    return [...source.code.matchAll(declaration)].flatMap((match) => {
      const [, kind = '', name = ''] = match;
      const users = [...importers.get(name) ?? []].filter((user) => user !== source.path);
      const whole = new RegExp(`(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`, 'g');
      const isUsedInside = [...source.code.matchAll(whole)].length > 1;
      const isUsedByProduct = users.some((user) => user.startsWith('src/') && !isForTests(user));
      const isType = kind === 'interface' || kind === 'type';
      const isNeeded = isType ? users.length > 0 || isUsedInside : isUsedByProduct || (users.length > 0 && isUsedInside);
      const how = users.length > 0 ? 'by tests alone' : 'by no other file';
      return isNeeded || Object.hasOwn(forTests, name) ? [] : [`${source.path}:${lineAt(source.code, match.index)}: export ${name} is used ${how}`];
    });
  });
}

function isForTests(path: string): boolean {
  return path.endsWith('.test.ts') || path.endsWith('-testing.ts');
}

/** Marks a file and what it re-exports as used wholly. */
function open(path: string, sources: ReadonlyMap<string, Source>, wholly: Set<string>, importers: Map<string, Set<string>>): void {
  if (wholly.has(path)) return;
  wholly.add(path);
  for (const item of sources.get(path)?.imports ?? []) {
    if (!item.isReexport) continue;
    if (item.isStar) open(item.target, sources, wholly, importers);
    for (const name of item.names) importers.set(name, (importers.get(name) ?? new Set()).add(path));
  }
}
