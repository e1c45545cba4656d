import { Database } from 'bun:sqlite';
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { waitUntil } from './command.ts';
import { at } from './json.ts';
import { cgroupDirs, mountsBelow, processesOf, subdirectories, type Footprint } from './leftovers.ts';

/** What is audited: a daemon that answers. */
export interface Audited extends Footprint {
  readonly graph: string;
  readonly state: string;
  readonly pid: number;
  http(method: string, path: string): Promise<{ json(): unknown }>;
}

/** How long a daemon may take to put things right after its start. */
const settleMs = 30_000;

/**
 * Waits until records and host agree: every process, mount, cgroup, bundle, exit file, layer, blob, directory and volume is owned by a
 * container, an image or a volume, and all that these need is there. @throws saying what does not agree.
 */
export async function expectConsistent(daemon: Audited): Promise<void> {
  let problems: string[] = [];
  try {
    await waitUntil('records and host to agree', async () => (problems = await audit(daemon)).length === 0, settleMs);
  } catch (error) {
    throw new Error(`records and host do not agree:\n${problems.join('\n')}`, { cause: error });
  }
}

async function audit(daemon: Audited): Promise<string[]> {
  const { graph, state, dir } = daemon;
  const overlay = join(graph, 'storage', 'overlay2');
  const containers = await list(daemon, '/containers/json?all=1');
  const ids = containers.map((item) => String(at(item, 'Id')));
  const running = containers.filter((item) => ['running', 'paused'].includes(String(at(item, 'State')))).map((item) => String(at(item, 'Id')));
  const settled = ['created', 'running', 'paused', 'exited', 'restarting'];
  const odd = containers.map((item) => String(at(item, 'State'))).filter((status) => !settled.includes(status));
  const ownMount = (path: string): boolean => path === graph || running.some((id) => path.startsWith(`${state}/bundles/${id}/`));
  const roots = running.map((id) => join(overlay, 'containers', id, 'merged'));
  const { layers, blobs, anonymous, stored } = readDatabase(join(graph, 'isulad.db'));
  const volumes = await volumeNames(daemon);
  return [
    ...odd.map((status) => `a container is ${status}`),
    ...compare('record', stored, ids),
    ...compare('bundle', names(join(state, 'bundles')), running),
    ...compare('exit file', names(join(state, 'exits')), []),
    ...compare('runtime state', names(join(state, 'oci')).flatMap((runtime) => names(join(state, 'oci', runtime))), running),
    ...compare('container directory', names(join(graph, 'engines', 'lcr')), ids),
    ...compare('container layer', names(join(overlay, 'containers')), ids),
    ...compare('file in staging', names(join(overlay, 'staging')), []),
    ...compare('image layer', names(join(overlay, 'layers')), layers),
    ...compare('blob', names(join(graph, 'blobs', 'sha256')), blobs),
    ...compare('file in ingest', names(join(graph, 'blobs', 'ingest')), []),
    ...compare('volume directory', names(join(graph, 'volumes')), volumes),
    ...compare('anonymous volume', volumes.filter((name) => /^[0-9a-f]{64}$/.test(name)), anonymous),
    ...compare('mount', mountsBelow(dir).filter((path) => !ownMount(path)), roots),
    ...cgroupDirs(daemon.cgroup).flatMap((path) => compare(`cgroup in ${path}`, subdirectories(path).map((one) => basename(one)), running)),
    ...strayProcesses(daemon, running),
  ];
}

/** Processes other than the daemon that belong to no container that runs, and containers without their monitor. */
function strayProcesses({ dir, pid, state }: Audited, running: readonly string[]): string[] {
  const processes = processesOf(dir).filter((one) => one.pid !== pid);
  const monitors = processes.filter(({ command }) => /conmon/.test(command.split(' ')[0] ?? ''));
  const owned = (command: string): boolean => running.some((id) => command.includes(id));
  return [
    ...processes.filter(({ command }) => command.includes(`${state}/`) && !owned(command)).map((stray) => `process ${stray.pid}: ${stray.command}`),
    ...running.filter((id) => !monitors.some(({ command }) => command.includes(`-c ${id}`))).map((id) => `container ${id} runs without a monitor`),
  ];
}

interface Stored {
  stored: string[];
  layers: string[];
  blobs: string[];
  anonymous: string[];
}

/** What the records say is needed. */
function readDatabase(path: string): Stored {
  const db = new Database(path, { readonly: true });
  try {
    const containers = db.query<{ id: string; record: string }, []>('SELECT id, record FROM container').all();
    const images: unknown[] = db.query<{ layers: string }, []>('SELECT layers FROM images').all().flatMap(({ layers }) => JSON.parse(layers));
    const parts = (key: string): string[] => [...new Set(images.map((layer) => String(at(layer, key)).replace('sha256:', '')))];
    return {
      stored: containers.map(({ id }) => id),
      layers: parts('chainId'),
      blobs: parts('blob'),
      anonymous: containers.flatMap(({ record }) => listOf(at(JSON.parse(record), 'anonymousVolumes'))),
    };
  } finally {
    db.close();
  }
}

async function list(daemon: Audited, path: string): Promise<unknown[]> {
  const value = (await daemon.http('GET', path)).json();
  if (!Array.isArray(value)) throw new Error(`${path} gave no list`);
  return value;
}

async function volumeNames(daemon: Audited): Promise<string[]> {
  const volumes = at((await daemon.http('GET', '/volumes')).json(), 'Volumes');
  return Array.isArray(volumes) ? volumes.map((item: unknown) => String(at(item, 'Name'))) : [];
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function names(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

function compare(what: string, found: readonly string[], wanted: readonly string[]): string[] {
  return [
    ...found.filter((name) => !wanted.includes(name)).map((name) => `${what} ${name} belongs to nothing`),
    ...wanted.filter((name) => !found.includes(name)).map((name) => `${what} ${name} is missing`),
  ];
}
