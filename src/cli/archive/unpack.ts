import {
  chmodSync, chownSync, createWriteStream, lchownSync, linkSync, lstatSync, lutimesSync, mkdirSync, rmdirSync, type Stats, symlinkSync, unlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Entry, type Headers } from 'tar-stream';
import { errnoOf } from '../../base/index.ts';
import type { Body } from '../../client/index.ts';
import { ExitError } from '../command.ts';

export interface UnpackOptions {
  /** Where the archive's root entry goes. */
  target: string;
  /** Keep the archive's owners (`cp -a`); else the caller's. */
  keepOwners: boolean;
}

/**
 * Unpacks a container's archive. It is hostile until proven otherwise: names cannot climb out of the target, and nothing is
 * written through a link that the archive brought.
 */
export async function unpackTree(body: Body, options: UnpackOptions): Promise<void> {
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) yield chunk;
  };
  const archive = extract();
  const feeding = pipeline(Readable.from(bytes()), archive);
  // Reported by the loop below, which sees the same error.
  feeding.catch(() => undefined);
  const unpacker = new Unpacker(options);
  for await (const entry of archive) {
    await unpacker.add(entry);
    entry.resume();
  }
  await feeding;
  unpacker.finish();
}

/** What is made besides directories; entries of any other type are passed over. */
const madeTypes: ReadonlySet<string> = new Set(['symlink', 'link', 'file', 'contiguous-file', 'fifo', 'character-device', 'block-device']);

class Unpacker {
  #root: string | undefined;
  /** Directories' attributes are set at the end: writing into them changes their times, and they may be read-only. */
  readonly #directories = new Map<string, Headers>();
  readonly #checked = new Set<string>();

  constructor(readonly options: UnpackOptions) {}

  async add(entry: Entry): Promise<void> {
    const headers = entry.header;
    const parts = this.#parts(headers.name);
    const path = this.#path(parts);
    const { type } = headers;
    if (type === 'directory') this.#directory(path, headers);
    else if (typeof type === 'string' && madeTypes.has(type)) {
      this.#makeWay(path);
      if (type === 'symlink') symlinkSync(headers.linkname ?? '', path);
      else if (type === 'link') linkSync(this.#path(this.#parts(headers.linkname ?? '')), path);
      else if (type === 'file' || type === 'contiguous-file') await pipeline(entry, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      else await makeNode(path, headers);
      if (type !== 'link') this.#attributes(path, headers);
    }
  }

  finish(): void {
    for (const [path, headers] of [...this.#directories].toReversed()) this.#attributes(path, headers);
  }

  /** A name's parts below the root entry. */
  #parts(name: string): string[] {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..') || name.includes('\0')) throw new ExitError(1, `Cannot unpack ${JSON.stringify(name)}: the name leaves the archive`);
    // The first entry is the root; a directory's content alone comes as `./…`.
    this.#root ??= parts[0] ?? '';
    if (this.#root === '') return parts;
    if (parts[0] !== this.#root) throw new ExitError(1, `Cannot unpack ${JSON.stringify(name)}: it is not below ${JSON.stringify(this.#root)}`);
    return parts.slice(1);
  }

  #path(parts: readonly string[]): string {
    let path = this.options.target;
    for (const part of parts) {
      this.#checkDirectory(path);
      path = join(path, part);
    }
    return path;
  }

  /** Every directory on the way must be one: a link would lead the writing elsewhere. */
  #checkDirectory(path: string): void {
    if (this.#checked.has(path)) return;
    const stat = lstat(path);
    if (stat === undefined) mkdirSync(path, { recursive: true });
    else if (!stat.isDirectory()) {
      if (path !== this.options.target || !stat.isSymbolicLink()) throw new ExitError(1, `Cannot unpack into ${path}: it is not a directory`);
    }
    this.#checked.add(path);
  }

  #directory(path: string, headers: Headers): void {
    const before = lstat(path);
    const linkedTarget = path === this.options.target && before?.isSymbolicLink() === true;
    if (before !== undefined && !before.isDirectory() && !linkedTarget) {
      // The guide (1.3.1.17): what has the same name is replaced, whatever it is.
      unlinkSync(path);
      mkdirSync(path, 0o700);
    } else if (before === undefined) mkdirSync(path, 0o700);
    this.#checked.add(path);
    if (before === undefined || !before.isDirectory()) this.#directories.set(path, headers);
  }

  /** Removes what has the name; a directory only when it is empty. */
  #makeWay(path: string): void {
    const before = lstat(path);
    if (before === undefined) return;
    this.#checked.delete(path);
    // Its attributes must not go to what takes its place, which may be a link to anywhere.
    this.#directories.delete(path);
    if (!before.isDirectory()) return unlinkSync(path);
    try {
      rmdirSync(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') {
        throw new ExitError(1, `cannot overwrite directory "${path}" with non-directory: it is not empty`);
      }
      throw error;
    }
  }

  #attributes(path: string, { type, mode = 0o644, uid = 0, gid = 0, mtime }: Headers): void {
    const link = type === 'symlink';
    if (this.options.keepOwners) (link ? lchownSync : chownSync)(path, uid, gid);
    // Where the owner changes, what would run as the owner must not come along (as chown(2) and cp have it).
    if (!link) chmodSync(path, mode & (this.options.keepOwners ? 0o7777 : 0o1777));
    if (mtime !== undefined) (link ? lutimesSync : utimesSync)(path, mtime, mtime);
  }
}

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

async function makeNode(path: string, headers: Headers): Promise<void> {
  const { AT_FDCWD, makeDevice, mknodAt } = await import('../../linux/index.ts');
  const kinds = { fifo: 0o010000, 'character-device': 0o020000, 'block-device': 0o060000 } as const;
  const { type } = headers;
  if (type !== 'fifo' && type !== 'character-device' && type !== 'block-device') return;
  mkdirSync(dirname(path), { recursive: true });
  mknodAt(AT_FDCWD, path, kinds[type] | ((headers.mode ?? 0o600) & 0o7777), makeDevice(headers.devmajor ?? 0, headers.devminor ?? 0));
}
