import { createReadStream, lstatSync, readdirSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack as packTar, type Headers, type Pack } from 'tar-stream';

/**
 * A tar of a local file or tree. The root entry is called `root`; `.` for a directory's content alone.
 * @param followRoot the source itself, being a link, stands for what it points to
 */
export function packTree(source: string, root: string, followRoot: boolean): () => Promise<Uint8Array | undefined> {
  const pack = packTar();
  const links = new Map<string, string>();
  const work = add(pack, source, root, followRoot ? statSync(source) : lstatSync(source), links).then(() => pack.finalize());
  work.catch((error: unknown) => pack.destroy(error instanceof Error ? error : new Error(String(error))));
  const chunks = pack[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await chunks.next();
    return done === true ? undefined : new Uint8Array(value);
  };
}

async function add(pack: Pack, path: string, name: string, stat: Stats, links: Map<string, string>): Promise<void> {
  const common = { name, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, mtime: stat.mtime };
  if (stat.isDirectory()) {
    await entry(pack, { ...common, type: 'directory' });
    for (const child of readdirSync(path).toSorted()) {
      const below = join(path, child);
      await add(pack, below, `${name}/${child}`, lstatSync(below), links);
    }
    return;
  }
  if (stat.isSymbolicLink()) return await entry(pack, { ...common, type: 'symlink', linkname: readlinkSync(path) });
  if (stat.isFile()) {
    const inode = `${stat.dev}:${stat.ino}`;
    const first = stat.nlink > 1 ? links.get(inode) : undefined;
    if (first !== undefined) return await entry(pack, { ...common, type: 'link', linkname: first });
    links.set(inode, name);
    // A file that shrinks meanwhile fails the copy; what grows is cut at the size announced.
    const file = createReadStream(path, stat.size === 0 ? {} : { end: stat.size - 1 });
    return await pipeline(stat.size === 0 ? [] : file, pack.entry({ ...common, type: 'file', size: stat.size }));
  }
  // Sockets cannot be archived: left out, as tar does.
  if (stat.isFIFO()) return await entry(pack, { ...common, type: 'fifo' });
  if (stat.isBlockDevice() || stat.isCharacterDevice()) {
    const device = { devmajor: (stat.rdev >> 8) & 0xfff, devminor: (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00) };
    return await entry(pack, { ...common, ...device, type: stat.isBlockDevice() ? 'block-device' : 'character-device' });
  }
}

function entry(pack: Pack, headers: Headers): Promise<void> {
  return new Promise((resolve, reject) => pack.entry(headers, (error) => (error ? reject(error) : resolve())));
}
