import { lstatSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { posix } from 'node:path';
import { isEngineError, reasonOf } from '../../base/index.ts';
import { type ApiClient, numberAt, textAt } from '../../client/index.ts';
import { type Command, containerPath, ExitError } from '../command.ts';
import { byteReader } from '../terminal/input.ts';
import { writeAll } from '../terminal/output.ts';
import { isTerminal } from '../terminal/terminal.ts';

/** Go's os.FileMode bits, as X-Docker-Container-Path-Stat carries them. */
const modeDir = 2 ** 31;
const modeSymlink = 2 ** 27;

interface Place {
  container: string;
  path: string;
}

/** `isula cp` (guide 1.3.1.17, docker's 4.5.2.3). */
export const cp: Command = {
  spec: {
    name: 'cp', usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH', args: { min: 2, max: 2 }, completes: 'containers',
    summary: 'Copy files/folders between a container and the local filesystem',
    flags: [
      { name: 'archive', short: 'a', type: 'bool', help: 'Archive mode (copy all uid/gid information)' },
      { name: 'follow-link', short: 'L', type: 'bool', help: 'Always follow symbol link in SRC_PATH' },
    ],
    notes: "'-' as SRC_PATH reads a tar archive from STDIN, '-' as DEST_PATH writes one to STDOUT.",
  },
  async run({ client, flags, args: [sourceText = '', destinationText = ''] }) {
    const source = placeOf(sourceText);
    const destination = placeOf(destinationText);
    const options = { archive: flags.bool('archive'), follow: flags.bool('follow-link') };
    if (sourceText === '' || destinationText === '') throw new ExitError(1, `${sourceText === '' ? 'source' : 'destination'} can not be empty`);
    if (source !== undefined && destination !== undefined) throw new ExitError(1, 'copying between containers is not supported');
    if (source !== undefined) await copyOut(client, source, destinationText, options);
    else if (destination !== undefined) await copyIn(client, sourceText, destination, options);
    else throw new ExitError(1, 'must specify at least one container source');
    return 0;
  },
};

/** `CONTAINER:PATH`; a local path starts with `/` or `.`, or has no colon. */
function placeOf(text: string): Place | undefined {
  if (text.startsWith('/') || text.startsWith('.')) return undefined;
  const colon = text.indexOf(':');
  if (colon <= 0) return undefined;
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

interface PathStat {
  name: string;
  isDir: boolean;
  linkTarget: string;
}

/** What a path in a container is, not following a last link; undefined: nothing. */
async function statIn(client: ApiClient, container: string, path: string): Promise<PathStat | undefined> {
  try {
    const { headers, body } = await client.open('HEAD', containerPath(container, '/archive'), { query: { path } });
    await body.read();
    const stat: unknown = JSON.parse(Buffer.from(headers.get('x-docker-container-path-stat') ?? '', 'base64').toString() || '{}');
    const mode = numberAt(stat, 'mode');
    return { name: textAt(stat, 'name'), isDir: hasBit(mode, modeDir), linkTarget: hasBit(mode, modeSymlink) ? textAt(stat, 'linkTarget') : '' };
  } catch (error) {
    if (!isEngineError(error, 'notFound')) throw error;
    // A HEAD has no body to say which: the container itself may be what is missing.
    await client.json('GET', containerPath(container, '/json'));
    return undefined;
  }
}

function hasBit(mode: number, bit: number): boolean {
  return Math.floor(mode / bit) % 2 === 1;
}

/** The link's target as a path of the container. */
function followed(path: string, target: string): string {
  return target.startsWith('/') ? target : posix.join(posix.dirname(path), target);
}

async function copyOut(client: ApiClient, source: Place, destination: string, options: { archive: boolean; follow: boolean }): Promise<void> {
  let path = source.path === '' ? '/' : source.path;
  const name = posix.basename(path);
  let stat = await statIn(client, source.container, path);
  if (stat === undefined) {
    throw new ExitError(1, `Error response from daemon: Could not find the file ${source.path} in container ${source.container}`);
  }
  if (options.follow && stat.linkTarget !== '') {
    path = followed(path, stat.linkTarget);
    stat = await statIn(client, source.container, path);
    if (stat === undefined) throw new ExitError(1, `Error response from daemon: Could not find the file ${path} in container ${source.container}`);
  }
  const target = destination === '-' ? '-' : localTarget(
    destination, { isDir: stat.isDir, contentOnly: stat.isDir && /(?:^|\/)\.$/.test(path), name: name || stat.name },
  );
  const { body } = await client.open('GET', containerPath(source.container, '/archive'), { query: { path } });
  if (target !== '-') {
    const { unpackTree } = await import('../archive/unpack.ts');
    return await unpackTree(body, { target, keepOwners: options.archive });
  }
  if (isTerminal(1)) throw new ExitError(1, 'cowardly refusing to write a tar archive to a terminal: redirect standard output');
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) await writeAll(1, chunk);
}

interface SourceFacts {
  isDir: boolean;
  /** `DIR/.`: what is in it, not itself. */
  contentOnly: boolean;
  name: string;
}

/** Where the root of what is copied goes, by docker's table of cases. */
function localTarget(destination: string, source: SourceFacts): string {
  const path = resolve(destination);
  const before = statSync(path, { throwIfNoEntry: false });
  if (before?.isDirectory() === true) return source.contentOnly || source.name === '' || source.name === '/' ? path : join(path, source.name);
  if (before !== undefined) {
    if (source.isDir) throw new ExitError(1, `cannot copy directory to ${destination}: it is not a directory`);
    if (destination.endsWith('/')) throw new ExitError(1, `not a directory: ${destination}`);
    return path;
  }
  const parent = dirname(path);
  if (statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new ExitError(1, `invalid output path: directory "${parent}" does not exist`);
  }
  if (!source.isDir && destination.endsWith('/')) throw new ExitError(1, `no such directory: ${destination}`);
  return path;
}

async function copyIn(
  client: ApiClient, sourceText: string, { container, path: given }: Place, options: { archive: boolean; follow: boolean },
): Promise<void> {
  let path = given === '' ? '/' : given;
  let before = await statIn(client, container, path);
  if (before !== undefined && before.linkTarget !== '') {
    path = followed(path, before.linkTarget) + (path.endsWith('/') ? '/' : '');
    before = await statIn(client, container, path);
  }
  const copyUIDGID = options.archive;
  const send = async (where: string, stream: () => Promise<Uint8Array | undefined>): Promise<void> => {
    await client.json(
      'PUT', containerPath(container, '/archive'), { query: { path: where, copyUIDGID }, body: { stream, type: 'application/x-tar' } },
    );
  };
  if (sourceText === '-') {
    if (before === undefined || !before.isDir) throw new ExitError(1, `destination "${container}:${given}" must be a directory`);
    return await send(path, byteReader(0));
  }
  const source = sourceStat(sourceText, options.follow);
  const { packTree } = await import('../archive/pack.ts');
  const local = resolve(sourceText);
  const contentOnly = source.isDirectory() && /(?:^|\/)\.$/.test(sourceText);
  const follow = options.follow || sourceText.endsWith('/');
  if (before?.isDir === true) return await send(path, packTree(local, contentOnly || local === '/' ? '.' : basename(local), follow));
  if (before !== undefined && source.isDirectory()) throw new ExitError(1, `cannot copy directory to ${container}:${given}: it is not a directory`);
  if (path.endsWith('/') && (before !== undefined || !source.isDirectory())) throw new ExitError(1, `no such directory: ${container}:${given}`);
  await send(posix.dirname(path), packTree(local, posix.basename(path), follow));
}

function sourceStat(path: string, follow: boolean): Stats {
  try {
    return follow || path.endsWith('/') ? statSync(path) : lstatSync(path);
  } catch (error) {
    throw new ExitError(1, `Cannot copy ${path}: ${reasonOf(error)}`);
  }
}
