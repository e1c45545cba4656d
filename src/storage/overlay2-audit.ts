import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isContainerId, isDigest, messageOf, shortId, type ChainId, type ContainerId } from '../base/index.ts';
import type { Layout } from './layout.ts';
import type { Stacks } from './stacks.ts';
import type { StorageProblem } from './types.ts';

/** What the driver knows, to be compared with what is on disk. */
export interface Overlay2View {
  readonly layout: Layout;
  readonly layers: ReadonlySet<ChainId>;
  readonly containers: ReadonlySet<ContainerId>;
  /** Paths in staging that running operations work on. */
  readonly busy: ReadonlySet<string>;
  readonly stacks: Stacks;
}

const ownEntries: readonly string[] = ['layers', 'containers', 'stacks', 'staging', 'empty'];
const layerEntries: readonly string[] = ['diff', 'size'];
const containerEntries: readonly string[] = ['upper', 'work', 'merged', 'stack'];

/** Compares the driver's directories with what should be there. A path with `stray` belongs to nothing and may be removed. */
export function auditOverlay2(view: Overlay2View, isOwned: (id: ContainerId) => boolean): StorageProblem[] {
  const { layout } = view;
  return [
    ...strays('unknown file', layout.base, (name) => ownEntries.includes(name)),
    ...strays('layer', layout.layers, (name) => isLayer(view, name)),
    ...strays('container layer', layout.containers, (name) => isContainerId(name) && view.containers.has(name) && isOwned(name)),
    ...strays('layer list', layout.stacks, (name) => view.stacks.isKept(name)),
    ...strays('staging', layout.staging, (name) => view.busy.has(join(layout.staging, name))),
    ...strays('unknown file', layout.empty, () => false),
    ...[...view.layers].flatMap((layer) => auditLayer(layout, layer)),
    ...[...view.containers].filter(isOwned).flatMap((id) => auditContainer(view, id)),
  ];
}

function strays(kind: string, directory: string, isKnown: (name: string) => boolean): StorageProblem[] {
  return readdirSync(directory).filter((name) => !isKnown(name))
    .map((name) => ({ kind, path: join(directory, name), detail: 'belongs to nothing', stray: true }));
}

function isLayer(view: Overlay2View, name: string): boolean {
  const chainId = `sha256:${name}`;
  return isDigest(chainId) && view.layers.has(chainId);
}

function auditLayer(layout: Layout, layer: ChainId): StorageProblem[] {
  const path = layout.layer(layer);
  if (!existsSync(path)) return [{ kind: 'layer', path, detail: 'is missing', stray: false }];
  return [
    ...strays('unknown file', path, (name) => layerEntries.includes(name)),
    ...layerEntries.filter((name) => !existsSync(join(path, name)))
      .map((name) => ({ kind: 'layer', path: join(path, name), detail: 'is missing', stray: false })),
  ];
}

function auditContainer(view: Overlay2View, id: ContainerId): StorageProblem[] {
  const path = view.layout.container(id);
  if (!existsSync(path)) return [{ kind: 'container layer', path, detail: 'is missing', stray: false }];
  const problems = strays('unknown file', path, (name) => containerEntries.includes(name));
  for (const name of ['upper', 'work', 'merged']) {
    if (!existsSync(join(path, name))) problems.push({ kind: 'container layer', path: join(path, name), detail: 'is missing', stray: false });
  }
  try {
    for (const layer of view.stacks.layersOf(id)) {
      if (view.layers.has(layer)) continue;
      problems.push({ kind: 'container layer', path, detail: `layer ${shortId(layer)} below it is missing`, stray: false });
    }
  } catch (error) {
    problems.push({ kind: 'container layer', path: join(path, 'stack'), detail: messageOf(error), stray: false });
  }
  return problems;
}
