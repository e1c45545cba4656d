import { paddingOf, type TarEntry } from './tar-format.ts';
import { tarEnd, tarHeader } from './tar-writer.ts';

/** Part of an archive for tests: an entry with what differs from an empty file of root's, and its content. */
export type TestEntry = Partial<TarEntry> & { name: string; content?: string | Buffer };

export function tarOf(...entries: TestEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const { content = '', ...entry } of entries) {
    const body = Buffer.from(content);
    const type = entry.type ?? (entry.name.endsWith('/') ? 'dir' : 'file');
    const whole: TarEntry = {
      linkName: '', mode: type === 'dir' ? 0o755 : 0o644, uid: 0, gid: 0, size: body.length, mtimeSec: 1_500_000_000, mtimeNsec: 0, deviceMajor: 0,
      deviceMinor: 0, xattrs: new Map(), ...entry, type,
    };
    parts.push(tarHeader(whole), body, Buffer.alloc(paddingOf(body.length)));
  }
  return Buffer.concat([...parts, tarEnd]);
}

/** A stream of the bytes in pieces of a size. */
export async function* inPieces(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function gather(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
