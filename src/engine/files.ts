import { Readable } from 'node:stream';
import { EngineError, isEngineError, messageOf } from '../base/index.ts';
import { bareMountPoints, diffTree, packTree } from '../images/layer/index.ts';
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
  return diffTree(ctx.snapshots.upperPath(container.id), ctx.snapshots.lowerPaths(container.id), ownMountPoints(ctx, container));
}

/** What every run makes in a container's layer to mount on; docker keeps it in a layer of its own. It is no change of the container's. */
const mountPointPaths = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf', 'dev', 'proc', 'sys'];

export function ownMountPoints(ctx: EngineContext, { id }: Container): Set<string> {
  return bareMountPoints(ctx.snapshots.upperPath(id), ctx.snapshots.lowerPaths(id), mountPointPaths);
}

export function refuseExternal(container: Container, verb: string): void {
  if (container.record.hostConfig.ExternalRootfs === '') return;
  throw new EngineError('unsupported', `Cannot ${verb} container ${container.name}: its root file system is not managed by isulad`);
}

/** A tar of the whole root file system, volumes left out (docker export). */
export async function exportContainer(ctx: EngineContext, container: Container, signal: AbortSignal): Promise<Readable> {
  const access = await openRoot(ctx, container, { freeze: false });
  return packTree(access.root, ctx.options.idMaps, signal).once('close', () => void release(access, ctx));
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
    const letGo = (): void => void release(access, ctx);
    const limited = Readable.from(withStallLimit(tar, letGo), { objectMode: false });
    return { stat, tar: limited.once('close', letGo) };
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
    await access.files.put(path, withStallLimit(keptOpen(tar)), { noOverwriteDirNonDir: options.noOverwriteDirNonDir, ...owner }, signal);
  } catch (error) {
    if (isEngineError(error)) throw error;
    // Something in the container changed the tree under the copy.
    throw new EngineError('conflict', `Cannot copy to ${path} in container ${container.name}: ${messageOf(error)}`, { cause: error });
  }
}

/** A request's body, which is not destroyed where reading ends early: the answer goes out on the same connection. */
function keptOpen(body: Readable): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => body.iterator({ destroyOnReturn: false }) };
}

function checkPath(path: string): void {
  if (path === '') throw new EngineError('invalidArgument', 'bad parameter: path cannot be empty');
  if (path.includes('\0')) throw new EngineError('invalidArgument', 'bad parameter: path must not contain a NUL byte');
}

/**
 * Passes pieces on, and gives up where the next one, or its taking, lets wait too long: `onStall` is called at once, the taker fails at its
 * next turn. Nothing runs before the first piece is asked for, nor after the last.
 */
async function* withStallLimit(source: AsyncIterable<Uint8Array>, onStall: () => void = () => undefined): AsyncGenerator<Uint8Array> {
  const stall = new EngineError('timeout', `The copy was given up: nothing moved for ${copyStallMs / 1000} s`);
  let isStalled = false;
  let fail: (error: Error) => void = () => undefined;
  const timer = setTimeout(() => {
    isStalled = true;
    onStall();
    fail(stall);
  }, copyStallMs);
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      if (isStalled) throw stall;
      const next = await new Promise<IteratorResult<Uint8Array, unknown>>((resolve, reject) => {
        fail = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) return;
      timer.refresh();
      yield next.value;
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
    // Not awaited: it comes after a read that may never end.
    iterator.return?.().catch(() => undefined);
  }
}

/** May be repeated. */
async function release(access: RootAccess, ctx: EngineContext): Promise<void> {
  try {
    await access[Symbol.asyncDispose]();
  } catch (error) {
    ctx.logger.warn(messageOf(error));
  }
}
