import { Readable, Transform } from 'node:stream';
import { EngineError, isEngineError, messageOf } from '../base/index.ts';
import { diffTree, packTree } from '../images/layer/index.ts';
import { lookupUser } from '../security/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { openRoot } from './root-access.ts';
import { identityRootOf } from './spec-input.ts';
import type { RootAccess } from './root-access.ts';
import type { ArchivePutOptions, PathStat } from './types.ts';

/** A copy that moves no byte for so long is given up: it holds its container frozen. */
const copyStallMs = 60_000;

/** What the container changed: docker diff. */
export async function containerChanges(ctx: EngineContext, container: Container): Promise<{ Path: string; Kind: 0 | 1 | 2 }[]> {
  refuseExternal(container, 'list the changes of');
  return diffTree(ctx.snapshots.upperPath(container.id), ctx.snapshots.lowerPaths(container.id));
}

export function refuseExternal(container: Container, verb: string): void {
  if (container.record.hostConfig.ExternalRootfs === '') return;
  throw new EngineError('unsupported', `Cannot ${verb} container ${container.name}: its root file system is not managed by isulad`);
}

/** A tar of the whole root file system, volumes left out (docker export). */
export async function exportContainer(ctx: EngineContext, container: Container, signal: AbortSignal): Promise<Readable> {
  const access = await openRoot(ctx, container, { freeze: false });
  return releasing(packTree(access.root, signal), access, ctx);
}

export async function archiveStat(ctx: EngineContext, container: Container, path: string): Promise<PathStat> {
  checkPath(path);
  await using access = await openRoot(ctx, container, { freeze: false });
  return access.files.stat(path);
}

export async function archiveGet(
  ctx: EngineContext, container: Container, path: string, signal: AbortSignal,
): Promise<{ stat: PathStat; tar: Readable }> {
  checkPath(path);
  const access = await openRoot(ctx, container, { freeze: true });
  try {
    const { stat, tar } = access.files.get(path, signal);
    return { stat, tar: releasing(withStallLimit(tar), access, ctx) };
  } catch (error) {
    await access[Symbol.asyncDispose]();
    throw error;
  }
}

export async function archivePut(
  ctx: EngineContext, container: Container, path: string, tar: Readable, options: ArchivePutOptions, signal: AbortSignal,
): Promise<void> {
  checkPath(path);
  await using access = await openRoot(ctx, container, { freeze: true });
  try {
    // Docker's `cp -a` into a container with a user of its own gives the files to that user.
    const { User } = container.record.config;
    const owner = options.copyUidGid && User !== '' ? { owner: lookupUser(identityRootOf(ctx, container), User, []) } : {};
    await access.files.put(path, withStallLimit(tar), { noOverwriteDirNonDir: options.noOverwriteDirNonDir, ...owner }, signal);
  } catch (error) {
    if (isEngineError(error)) throw error;
    // Something in the container changed the tree under the copy.
    throw new EngineError('conflict', `Cannot copy to ${path} in container ${container.name}: ${messageOf(error)}`, { cause: error });
  }
}

function checkPath(path: string): void {
  if (path === '') throw new EngineError('invalidArgument', 'bad parameter: path cannot be empty');
  if (path.includes('\0')) throw new EngineError('invalidArgument', 'bad parameter: path must not contain a NUL byte');
}

/** Passes a stream on, and destroys it when nothing moves for too long. */
function withStallLimit(source: Readable): Readable {
  const passing = new Transform({
    transform(chunk, _encoding, done) {
      timer.refresh();
      done(null, chunk);
    },
  });
  const giveUp = () => passing.destroy(new EngineError('timeout', `The copy was given up: nothing moved for ${copyStallMs / 1000} s`));
  const timer = setTimeout(giveUp, copyStallMs);
  passing.once('close', () => {
    clearTimeout(timer);
    source.destroy();
  });
  source.once('error', (error) => passing.destroy(error));
  return source.pipe(passing);
}

/** Gives the access back when the stream ends, however it does. */
function releasing(stream: Readable, access: RootAccess, ctx: EngineContext): Readable {
  stream.once('close', async () => {
    try {
      await access[Symbol.asyncDispose]();
    } catch (error) {
      ctx.logger.warn(messageOf(error));
    }
  });
  return stream;
}
