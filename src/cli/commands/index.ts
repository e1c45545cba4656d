import type { Command } from '../command.ts';

/** A command's place in the registry; its module is loaded when it is run, for its help, for completion or for the manual. */
export interface Entry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

export interface Group {
  readonly summary: string;
  /** Sub-command -> name of the command's entry. */
  readonly commands: ReadonlyMap<string, string>;
}

const lifecycle = () => import('./lifecycle.ts');
const listing = () => import('./container-list.ts');
const imageStore = () => import('./image-store.ts');
const imageList = () => import('./image-list.ts');
const registry = () => import('./registry.ts');
const volume = () => import('./volume.ts');
const system = () => import('./system.ts');
const prune = () => import('./prune.ts');

function entry(name: string, summary: string, load: () => Promise<Command>): Entry {
  return { name, summary, load };
}

/** Every command by its canonical name. */
export const entries: ReadonlyMap<string, Entry> = new Map([
  entry('attach', 'Attach local standard input, output, and error streams to a running container', async () => (await import('./attach.ts')).attach),
  entry('commit', "Create a new image from a container's changes", async () => (await import('./commit.ts')).commit),
  entry('completion', 'Print a completion script for bash or zsh', async () => (await import('./completion.ts')).completion),
  entry('cp', 'Copy files/folders between a container and the local filesystem', async () => (await import('./cp.ts')).cp),
  entry('create', 'Create a new container', async () => (await import('./create.ts')).create),
  entry('diff', "Inspect changes to files or directories on a container's filesystem", async () => (await import('./diff.ts')).diff),
  entry('events', 'Get real time events from the server', async () => (await import('./events.ts')).events),
  entry('exec', 'Execute a command in a running container', async () => (await import('./exec.ts')).exec),
  entry('export', "Export a container's filesystem as a tar archive", async () => (await import('./export.ts')).exportContainer),
  entry('history', 'Show the history of an image', async () => (await imageList()).history),
  entry('images', 'List images', async () => (await imageList()).images),
  entry('import', 'Import the contents from a tarball to create a filesystem image', async () => (await imageStore()).importImage),
  entry('info', 'Display system-wide information', async () => (await import('./info.ts')).info),
  entry('inspect', 'Return low-level information on containers, images or volumes', async () => (await import('./inspect.ts')).inspect),
  entry('kill', 'Kill one or more running containers', async () => (await lifecycle()).kill),
  entry('load', 'Load an image from a tar archive or STDIN', async () => (await imageStore()).load),
  entry('login', 'Authenticate to a registry', async () => (await registry()).login),
  entry('logout', 'Log out from a registry', async () => (await registry()).logout),
  entry('logs', 'Fetch the logs of a container', async () => (await import('./logs.ts')).logs),
  entry('man', 'Write manual pages into a directory', async () => (await import('./man.ts')).man),
  entry('pause', 'Pause all processes within one or more containers', async () => (await lifecycle()).pause),
  entry('ps', 'List containers', async () => (await listing()).ps),
  entry('pull', 'Download an image from a registry', async () => (await registry()).pull),
  entry('push', 'Upload an image to a registry', async () => (await registry()).push),
  entry('rename', 'Rename a container', async () => (await lifecycle()).rename),
  entry('restart', 'Restart one or more containers', async () => (await lifecycle()).restart),
  entry('rm', 'Remove one or more containers', async () => (await lifecycle()).rm),
  entry('rmi', 'Remove one or more images', async () => (await imageStore()).rmi),
  entry('run', 'Create and run a new container from an image', async () => (await import('./run.ts')).run),
  entry('save', 'Save one or more images to a tar archive (streamed to STDOUT by default)', async () => (await imageStore()).save),
  entry('search', 'Search a registry for images', async () => (await registry()).search),
  entry('start', 'Start one or more stopped containers', async () => (await import('./start.ts')).start),
  entry('stats', 'Display a live stream of container(s) resource usage statistics', async () => (await import('./stats.ts')).stats),
  entry('stop', 'Stop one or more running containers', async () => (await lifecycle()).stop),
  entry('tag', 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', async () => (await imageStore()).tag),
  entry('top', 'Display the running processes of a container', async () => (await import('./top.ts')).top),
  entry('unpause', 'Unpause all processes within one or more containers', async () => (await lifecycle()).unpause),
  entry('update', 'Update configuration of one or more containers', async () => (await import('./update.ts')).update),
  entry('version', 'Show the version information', async () => (await import('./version.ts')).version),
  entry('wait', 'Block until one or more containers stop, then print their exit codes', async () => (await lifecycle()).wait),
  entry('container inspect', 'Display detailed information on one or more containers', async () => (await import('./inspect.ts')).inspectContainer),
  entry('container prune', 'Remove all stopped containers', async () => (await prune()).pruneContainers),
  entry('image inspect', 'Display detailed information on one or more images', async () => (await import('./inspect.ts')).inspectImage),
  entry('image prune', 'Remove unused images', async () => (await prune()).pruneImages),
  entry('volume create', 'Create a volume', async () => (await volume()).createVolume),
  entry('volume inspect', 'Display detailed information on one or more volumes', async () => (await import('./inspect.ts')).inspectVolume),
  entry('volume ls', 'List volumes', async () => (await volume()).listVolumes),
  entry('volume prune', 'Remove unused local volumes', async () => (await prune()).pruneVolumes),
  entry('volume rm', 'Remove one or more volumes', async () => (await volume()).removeVolumes),
  entry('system check', 'Check that every byte under the graph root is owned', async () => (await system()).check),
  entry('system df', 'Show disk usage', async () => (await system()).df),
  entry('system prune', 'Remove unused data', async () => (await prune()).pruneSystem),
].map((one) => [one.name, one]));

function group(summary: string, own: readonly string[], also: Readonly<Record<string, string>>): Group {
  return {
    summary,
    commands: new Map([...own.map((name): [string, string] => [name, name]), ...Object.entries(also)].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** Docker's command groups: `isula container ls` is `isula ps`. */
export const groups: ReadonlyMap<string, Group> = new Map([
  ['container', group('Manage containers', [
    'attach', 'commit', 'cp', 'create', 'diff', 'exec', 'export', 'kill', 'logs', 'pause', 'rename', 'restart', 'rm', 'run', 'start', 'stats', 'stop',
    'top',
    'unpause', 'update', 'wait',
  ], { ls: 'ps', list: 'ps', ps: 'ps', remove: 'rm', inspect: 'container inspect', prune: 'container prune' })],
  ['image', group('Manage images', ['history', 'import', 'load', 'pull', 'push', 'save', 'tag'], {
    ls: 'images', list: 'images', rm: 'rmi', remove: 'rmi', inspect: 'image inspect', prune: 'image prune',
  })],
  ['volume', group('Manage volumes', [], {
    create: 'volume create', inspect: 'volume inspect', ls: 'volume ls', list: 'volume ls', prune: 'volume prune', rm: 'volume rm',
    remove: 'volume rm',
  })],
  ['system', group('Manage isula', ['events', 'info'], { check: 'system check', df: 'system df', prune: 'system prune' })],
]);

/** Sub-commands that are other words for one shown in help. */
export const groupAliases: ReadonlySet<string> = new Set(['list', 'ps', 'remove']);

/** The command that words name, and the words behind its name; undefined: there is none. */
export async function findCommand(words: readonly string[]): Promise<{ name: string; command: Command; rest: readonly string[] } | undefined> {
  const [first = '', second = ''] = words;
  const group = groups.get(first);
  const target = entries.get(group === undefined ? first : (group.commands.get(second) ?? ''));
  if (target === undefined) return undefined;
  return { name: group === undefined ? first : `${first} ${second}`, command: await target.load(), rest: words.slice(group === undefined ? 1 : 2) };
}
