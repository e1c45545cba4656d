import { dirname } from 'node:path';
import type { Source } from './source.ts';

/** Lowest first; the folders of one row do not import each other. See docs/architecture.md, layers. */
const layers: readonly (readonly string[])[] = [
  ['base'], ['model'], ['linux'], ['state'], ['storage'], ['security'], ['images', 'runtime', 'volumes', 'network'], ['engine'], ['api', 'client'],
  ['cli', 'daemon'], ['main.ts'],
];
/** The command line knows the daemon by its API alone; of this host it needs terminals and safe file access (linux). */
const forbidden: Record<string, readonly string[]> = {
  cli: ['engine', 'images', 'runtime', 'volumes', 'network', 'security', 'storage', 'state'],
  client: ['engine', 'images', 'runtime', 'volumes', 'network', 'security', 'storage', 'state', 'linux'],
};

function folderOf(path: string): string | undefined {
  const [top, folder] = path.split('/');
  return top === 'src' ? folder : undefined;
}

export function structureProblems(sources: readonly Source[]): string[] {
  const paths = new Set(sources.map(({ path }) => path));
  const problems: string[] = [];
  for (const source of sources) {
    const from = folderOf(source.path);
    for (const { target, isRelative, isDynamic, line } of source.imports) {
      const report = (problem: string) => problems.push(`${source.path}:${line}: ${problem}`);
      if (target === 'bun:ffi' && from !== 'linux') report('bun:ffi is used in src/linux only');
      if (!isRelative) continue;
      if (!paths.has(target)) {
        if (target.endsWith('.ts')) report(`imports ${target}, which is not there`);
        continue;
      }
      const to = folderOf(target);
      if (from !== undefined && to === undefined && target.endsWith('.ts')) report(`src imports ${target} from outside src`);
      if (from !== undefined && to !== undefined && from !== to) {
        const [low, high] = [rank(to), rank(from)];
        if (low === undefined || high === undefined) report(`folder ${low === undefined ? to : from} has no layer in tools/tidy/structure.ts`);
        else if (low >= high) report(`${from} imports ${to}: imports point downward only`);
        if (forbidden[from]?.includes(to)) report(`${from} imports ${to}: it may know the API alone`);
      }
      const door = closedDoor(source.path, target, paths);
      if (door !== undefined && !(source.path === 'src/main.ts' && isDynamic)) report(`imports ${target}: use the door ${door}`);
    }
  }
  return [...problems, ...cycles(sources)];
}

function rank(folder: string): number | undefined {
  const index = layers.findIndex((row) => row.includes(folder));
  return index < 0 ? undefined : index;
}

/** The door that an import from another folder passes by. Below the top a folder may have doors of its own (`images/layer`). */
function closedDoor(importer: string, target: string, paths: ReadonlySet<string>): string | undefined {
  if (target.endsWith('/index.ts')) return undefined;
  const folder = dirname(target).split('/').slice(0, 2).join('/');
  if (importer.startsWith(`${folder}/`) || !paths.has(`${folder}/index.ts`)) return undefined;
  return `${folder}/index.ts`;
}

/** Import cycles between files, by what is loaded: types alone, and imports at run time, do not count. */
function cycles(sources: readonly Source[]): string[] {
  const edges = new Map(sources.map(({ path, imports }) => {
    return [path, imports.filter((item) => item.isRelative && !item.isTypeOnly && !item.isDynamic).map(({ target }) => target)];
  }));
  const done = new Set<string>();
  const stack: string[] = [];
  const problems: string[] = [];
  const visit = (path: string): void => {
    const start = stack.indexOf(path);
    if (start >= 0) {
      problems.push(`import cycle: ${[...stack.slice(start), path].join(' -> ')}`);
      return;
    }
    if (done.has(path)) return;
    stack.push(path);
    for (const next of edges.get(path) ?? []) visit(next);
    stack.pop();
    done.add(path);
  };
  for (const path of edges.keys()) visit(path);
  return problems;
}
