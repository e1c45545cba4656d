import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { isContainerId, messageOf } from '../base/index.ts';
import type { ContainerId } from '../base/index.ts';
import type { StoreCheckOptions, StoreProblem } from '../images/index.ts';
import { readMounts, umountAll } from '../linux/index.ts';
import { containerDir } from './context.ts';
import type { EngineContext } from './context.ts';
import { isMountedForCopy } from './root-access.ts';
import type { CheckReport } from './types.ts';

/** What stands in the graph root itself; the database's other files are SQLite's. */
const graphEntries: readonly string[] = [
  'isulad.db', 'isulad.db-wal', 'isulad.db-shm', 'isulad.lock', 'isulad_tmpdir', 'runtime-versions.json', 'auths', 'blobs', 'storage', 'engines',
  'volumes',
];
/** Before the name of a volume whose files are being deleted. */
const removedVolume = '.removed-';

/**
 * `isula system check`: everything below the graph root, and every mount below both roots, belongs to a container, an image, a
 * volume or a running operation, or is reported. With `repair`, what the engine made and nothing needs goes; what somebody else put
 * there is reported and left alone.
 */
export async function checkGraph(ctx: EngineContext, options: StoreCheckOptions, signal: AbortSignal): Promise<CheckReport> {
  const problems = [
    ...checkDatabase(ctx, options),
    ...checkEntries(ctx),
    ...(await checkMounts(ctx, options)),
    ...(await checkSnapshots(ctx, options)),
    ...(await checkContainers(ctx, options)),
    ...(await checkVolumes(ctx, options)),
    ...(await ctx.images.check(options, signal)),
  ];
  return { Problems: problems.map(({ kind, path, detail, repaired }) => ({ Kind: kind, Path: path, Detail: detail, Repaired: repaired })) };
}

function checkDatabase(ctx: EngineContext, { content }: StoreCheckOptions): StoreProblem[] {
  const path = join(ctx.options.graphRoot, 'isulad.db');
  const rows = ctx.store.db.raw.query<Record<string, string>, []>(`PRAGMA ${content ? 'integrity_check' : 'quick_check'}`).all();
  return rows.flatMap((row) => Object.values(row)).filter((text) => text !== 'ok')
    .map((text) => problemOf('database', path, text));
}

function checkEntries(ctx: EngineContext): StoreProblem[] {
  const { graphRoot, stateRoot } = ctx.options;
  const stranger = (directory: string, known: readonly string[]): StoreProblem[] =>
    namesIn(directory).filter((name) => !known.includes(name) && !`${stateRoot}${sep}`.startsWith(`${join(directory, name)}${sep}`))
      .map((name) => problemOf('unknown file', join(directory, name), 'is nothing that isulad made: remove it by hand'));
  return [
    // A daemon with userns-remap keeps its store in a directory of its own, named by the ids of its root.
    ...stranger(graphRoot, [...graphEntries, ...namesIn(graphRoot).filter((name) => /^\d+\.\d+$/.test(name))]),
    ...stranger(join(graphRoot, 'storage'), [ctx.snapshots.name]),
    ...stranger(join(graphRoot, 'engines'), ['lcr']),
    ...stranger(join(graphRoot, 'auths'), ['credentials.json', 'aeskey']),
  ];
}

function problemOf(kind: string, path: string, detail: string): StoreProblem {
  return { kind, path, detail, repaired: false };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Mounts of containers that do not run, and of nothing at all. */
async function checkMounts(ctx: EngineContext, { repair }: StoreCheckOptions): Promise<StoreProblem[]> {
  const { graphRoot, stateRoot } = ctx.options;
  const problems: StoreProblem[] = [];
  const mounts = readMounts().filter(({ mountPoint }) => mountPoint.startsWith(`${graphRoot}/`) || mountPoint.startsWith(`${stateRoot}/`));
  for (const { mountPoint } of mounts.reverse()) {
    if (isOwnedMount(ctx, mountPoint)) continue;
    if (repair) umountAll(mountPoint);
    problems.push({ kind: 'mount', path: mountPoint, detail: 'belongs to nothing that runs', repaired: repair });
  }
  return problems;
}

function isOwnedMount(ctx: EngineContext, path: string): boolean {
  const { graphRoot, stateRoot } = ctx.options;
  const volumes = join(graphRoot, 'volumes');
  if (path.startsWith(`${volumes}/`)) return ctx.volumes.has(path.slice(volumes.length + 1).split('/', 1)[0] ?? '');
  // Its own file systems, and the roots themselves, may be mounts.
  if (['blobs', 'storage', 'engines', 'volumes'].some((name) => path === join(graphRoot, name))) return true;
  const id = path.split('/').find(isContainerId);
  if (id === undefined) return path.startsWith(`${stateRoot}/`) && !path.startsWith(`${join(stateRoot, 'bundles')}/`);
  const container = ctx.store.get(id);
  return container !== undefined && (container.run !== undefined || !container.lane.idle || isMountedForCopy(container));
}

async function checkSnapshots(ctx: EngineContext, { repair }: StoreCheckOptions): Promise<StoreProblem[]> {
  const problems: StoreProblem[] = [];
  for (const { kind, path, detail, stray } of ctx.snapshots.audit((id) => ctx.store.isKnown(id))) {
    problems.push({ kind, path, detail, repaired: repair && stray && (await succeeds(ctx, path, () => ctx.snapshots.removeStray(path))) });
  }
  return problems;
}

async function checkContainers(ctx: EngineContext, { repair }: StoreCheckOptions): Promise<StoreProblem[]> {
  const problems: StoreProblem[] = [];
  const known = (name: string): boolean => isContainerId(name) && ctx.store.isKnown(name);
  const bundles = join(ctx.options.stateRoot, 'bundles');
  const directories = join(ctx.options.graphRoot, 'engines', 'lcr');
  for (const [kind, directory] of [['container directory', directories], ['bundle', bundles]] as const) {
    for (const name of namesIn(directory).filter((each) => !known(each))) {
      const path = join(directory, name);
      const repaired = repair && (await succeeds(ctx, path, () => rm(path, { recursive: true, force: true })));
      problems.push({ kind, path, detail: 'belongs to no container', repaired });
    }
  }
  for (const { id, record } of ctx.store.all()) {
    if (record.hostConfig.ExternalRootfs === '' && !ctx.snapshots.hasContainer(id)) problems.push(lacksLayer(ctx, id));
  }
  return problems;
}

function lacksLayer(ctx: EngineContext, id: ContainerId): StoreProblem {
  return problemOf('container layer', containerDir(ctx.options, id), `container ${id} has lost its layer: remove it`);
}

async function checkVolumes(ctx: EngineContext, { repair }: StoreCheckOptions): Promise<StoreProblem[]> {
  const directory = join(ctx.options.graphRoot, 'volumes');
  const problems: StoreProblem[] = [];
  const mountPoints = readMounts().map(({ mountPoint }) => mountPoint);
  for (const name of namesIn(directory).filter((each) => !ctx.volumes.has(each))) {
    const path = join(directory, name);
    if (!name.startsWith(removedVolume)) {
      problems.push(problemOf('volume directory', path, 'belongs to no volume: its data may be somebody\'s, remove it by hand'));
      continue;
    }
    const isMounted = mountPoints.some((point) => point.startsWith(`${path}/`));
    const repaired = repair && !isMounted && (await succeeds(ctx, path, () => rm(path, { recursive: true, force: true })));
    problems.push({ kind: 'volume directory', path, detail: 'was of a volume that is removed', repaired });
  }
  const { Volumes: volumes } = await ctx.volumes.operations.list(new Map());
  const there = new Set(namesIn(directory));
  for (const { Name: name, Mountpoint: path } of volumes) {
    if (!there.has(name)) problems.push(problemOf('volume directory', path, 'is missing: it is made again, empty, at the next start'));
  }
  return problems;
}

async function succeeds(ctx: EngineContext, path: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    ctx.logger.warn(`Cannot remove ${basename(path)}: ${messageOf(error)}`);
    return false;
  }
}
