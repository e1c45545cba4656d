import { blockBytes, checksumHolds, isZeroBlock, malformed, numberField, paddingOf, shown, textField } from './tar-format.ts';
import type { SparseSegment, TarEntry, TarType } from './tar-format.ts';
import { decimal, parsePax, paxTime, type PaxRecords } from './tar-pax.ts';
import { checkedSparse, oldGnuSegments, paxSegments, SparseMapReader } from './tar-sparse.ts';

/** A pax header, or a GNU long name, is kept in memory: no more than this. */
const metaBytesMax = 4 * 1024 * 1024;
/** PATH_MAX without its NUL. */
const nameBytesMax = 4095;
const idMax = 0xffff_fffe;

/** `more`: feed it. `end`: the two zero blocks were seen; what follows them is ignored. */
export type TarStep = TarEntry | 'more' | 'end';

const types = new Map<string, TarType>([
  ['\0', 'file'], ['0', 'file'], ['7', 'file'], ['S', 'file'], ['1', 'link'], ['2', 'symlink'], ['3', 'char'], ['4', 'block'],
  ['5', 'dir'], ['6', 'fifo'],
]);

interface Pending {
  entry: TarEntry;
  storedSize: number;
}

/**
 * Reads a tar as it comes, without copying what it holds: feed a chunk, then take entries and pieces of bodies until it asks
 * for `more`. Own code because tar-stream, the field's package, has no sparse files, decodes names as UTF-8 and so changes those
 * that are not, and takes 20 us an entry with its events and promises, where this takes 4 to 8 and a file's system calls 15 (20,000
 * files of 1 KB, Bun 1.4.5).
 *
 * Understood: V7, ustar, pax, GNU (long names, base-256, sparse in all four forms). Global pax headers are skipped, as Go's
 * archive/tar does, so that the same layer unpacks to the same files here and in the engines that are written in Go.
 */
export class TarReader {
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #bodyLeft = 0;
  #skip = 0;
  #meta: { kind: 'pax' | 'name' | 'link' | 'ignored'; left: number; parts: Buffer[] } | undefined;
  #pax: PaxRecords | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;
  #oldSparse: (Pending & { segments: SparseSegment[]; realSize: number }) | undefined;
  #mapSparse: (Pending & { reader: SparseMapReader; realSize: number }) | undefined;
  #zeroBlocks = 0;
  #ended = false;

  /** Bytes of the current entry's body that are still to be taken. */
  get bodyLeft(): number {
    return this.#bodyLeft;
  }

  /** Gives the reader the next chunk; it must have asked for more. */
  feed(chunk: Uint8Array): void {
    if (this.#ended) return;
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const rest = this.#chunk.length - this.#at;
    this.#chunk = rest === 0 ? view : Buffer.concat([this.#chunk.subarray(this.#at), view]);
    this.#at = 0;
  }

  /** The next piece of the current body, a view on the chunk; undefined when more must be fed. */
  takeBody(): Buffer | undefined {
    const size = Math.min(this.#bodyLeft, this.#chunk.length - this.#at);
    if (size === 0) return undefined;
    const piece = this.#chunk.subarray(this.#at, this.#at + size);
    this.#at += size;
    this.#bodyLeft -= size;
    return piece;
  }

  /** The input is over. @throws EngineError invalidArgument when it was in the middle of something. */
  finish(): void {
    const cut = this.#bodyLeft > 0 || this.#skip > 0 || this.#meta || this.#oldSparse || this.#mapSparse || this.#pax || this.#longName !== undefined;
    if (!this.#ended && (cut || this.#chunk.length > this.#at)) throw malformed('it ends in the middle of an entry');
  }

  /** The next entry. What was left of the last one's body is skipped. */
  next(): TarStep {
    this.#skip += this.#bodyLeft;
    this.#bodyLeft = 0;
    for (;;) {
      if (this.#ended) return 'end';
      if (this.#skip > 0) {
        const size = Math.min(this.#skip, this.#chunk.length - this.#at);
        this.#at += size;
        this.#skip -= size;
        if (this.#skip > 0) return 'more';
      }
      if (this.#meta) {
        if (!this.#gatherMeta()) return 'more';
        continue;
      }
      if (this.#chunk.length - this.#at < blockBytes) return 'more';
      const block = this.#chunk.subarray(this.#at, this.#at + blockBytes);
      this.#at += blockBytes;
      const entry = this.#oldSparse ? this.#extendOldSparse(block) : this.#mapSparse ? this.#extendMap(block) : this.#header(block);
      if (entry) return entry;
    }
  }

  #gatherMeta(): boolean {
    const meta = this.#meta;
    if (!meta) return true;
    const size = Math.min(meta.left, this.#chunk.length - this.#at);
    if (meta.kind !== 'ignored') meta.parts.push(Buffer.from(this.#chunk.subarray(this.#at, this.#at + size)));
    this.#at += size;
    meta.left -= size;
    if (meta.left > 0) return false;
    this.#meta = undefined;
    const body = Buffer.concat(meta.parts);
    this.#skip = paddingOf(body.length);
    switch (meta.kind) {
      case 'pax': this.#pax = parsePax(body); break;
      case 'name': this.#longName = textField(body, 0, body.length); break;
      case 'link': this.#longLink = textField(body, 0, body.length); break;
      case 'ignored': break;
    }
    return true;
  }

  #header(block: Buffer): TarEntry | undefined {
    if (block[0] === 0 && isZeroBlock(block)) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#ended = true;
      return undefined;
    }
    if (this.#zeroBlocks > 0) throw malformed('something follows its end mark');
    if (!checksumHolds(block)) throw malformed('a header has a wrong checksum (is it a tar?)');
    const flag = String.fromCharCode(block[156] ?? 0);
    const size = numberField(block, 124, 12, 'size');
    if (size < 0) throw malformed('its size is negative');
    const kind = flag === 'x' ? 'pax' : flag === 'g' ? 'ignored' : flag === 'L' ? 'name' : flag === 'K' ? 'link' : undefined;
    if (kind) {
      if (size > metaBytesMax) throw malformed(`a header has ${size} bytes, the limit is ${metaBytesMax}`);
      this.#meta = { kind, left: size, parts: [] };
      // A body that is not kept is padded all the same.
      if (kind === 'ignored') this.#meta.left = size + paddingOf(size);
      return undefined;
    }
    return this.#entry(block, flag, size);
  }

  #entry(block: Buffer, flag: string, headerSize: number): TarEntry | undefined {
    const pax = this.#pax;
    const [longName, longLink] = [this.#longName, this.#longLink];
    this.#pax = this.#longName = this.#longLink = undefined;
    const values = pax?.values;
    const get = (key: string) => {
      const value = values?.get(key);
      return value === '' ? undefined : value;
    };
    const name = get('GNU.sparse.name') ?? get('path') ?? longName ?? ustarName(block);
    let type = types.get(flag);
    if (!type) throw malformed(`entry ${shown(name)} has the unknown type ${JSON.stringify(flag)}`);
    // V7 had no type for directories: their names end in a slash.
    if (type === 'file' && name.endsWith('/')) type = 'dir';
    const sizeText = get('size');
    // Links, directories and devices have no body, whatever their size says.
    const storedSize = type !== 'file' ? 0 : sizeText === undefined ? headerSize : decimal(sizeText, 'size');
    const time = get('mtime');
    const mtime = time === undefined ? { sec: numberField(block, 136, 12, 'time'), nsec: 0 } : paxTime(time);
    const isDevice = type === 'char' || type === 'block';
    const id = (key: 'uid' | 'gid', at: number) => {
      const text = get(key);
      const value = text === undefined ? numberField(block, at, 8, key) : decimal(text, key);
      if (value < 0 || value > idMax) throw malformed(`entry ${shown(name)} has the ${key} ${value}`);
      return value;
    };
    const entry: TarEntry = {
      type,
      name: checkedName(name),
      linkName: type === 'link' || type === 'symlink' ? checkedName(get('linkpath') ?? longLink ?? textField(block, 157, 100)) : '',
      mode: numberField(block, 100, 8, 'mode') & 0o7777,
      uid: id('uid', 108),
      gid: id('gid', 116),
      size: storedSize,
      mtimeSec: mtime.sec,
      mtimeNsec: mtime.nsec,
      deviceMajor: isDevice ? numberField(block, 329, 8, 'device') : 0,
      deviceMinor: isDevice ? numberField(block, 337, 8, 'device') : 0,
      xattrs: pax?.xattrs ?? noXattrs,
    };
    return this.#start({ entry, storedSize }, block, flag, pax);
  }

  #start(pending: Pending, block: Buffer, flag: string, pax: PaxRecords | undefined): TarEntry | undefined {
    const { entry, storedSize } = pending;
    if (flag === 'S') {
      const realSize = numberField(block, 483, 12, 'size');
      const segments: SparseSegment[] = [];
      oldGnuSegments(block, 386, 4, segments);
      if ((block[482] ?? 0) !== 0) {
        this.#oldSparse = { ...pending, segments, realSize };
        return undefined;
      }
      return this.#sparse(entry, segments, realSize, storedSize);
    }
    if (pax && entry.type === 'file') {
      const realSize = pax.values.get('GNU.sparse.realsize') ?? pax.values.get('GNU.sparse.size');
      if (pax.values.get('GNU.sparse.major') === '1' && pax.values.get('GNU.sparse.minor') === '0') {
        this.#mapSparse = { ...pending, reader: new SparseMapReader(), realSize: decimal(realSize ?? '', 'size') };
        return undefined;
      }
      const segments = paxSegments(pax);
      if (segments) return this.#sparse(entry, segments, decimal(realSize ?? '', 'size'), storedSize);
    }
    this.#body(storedSize);
    return entry;
  }

  #sparse(entry: TarEntry, segments: readonly SparseSegment[], realSize: number, storedSize: number): TarEntry {
    this.#body(storedSize);
    return { ...entry, size: realSize, sparse: checkedSparse(segments, realSize, storedSize) };
  }

  #body(storedSize: number): void {
    this.#bodyLeft = storedSize;
    // The padding is skipped before the next header is read.
    this.#skip = paddingOf(storedSize);
  }

  #extendOldSparse(block: Buffer): TarEntry | undefined {
    const pending = this.#oldSparse;
    if (!pending) return undefined;
    oldGnuSegments(block, 0, 21, pending.segments);
    if ((block[504] ?? 0) !== 0) return undefined;
    this.#oldSparse = undefined;
    return this.#sparse(pending.entry, pending.segments, pending.realSize, pending.storedSize);
  }

  #extendMap(block: Buffer): TarEntry | undefined {
    const pending = this.#mapSparse;
    if (!pending) return undefined;
    pending.storedSize -= blockBytes;
    if (pending.storedSize < 0) throw malformed('its sparse map is cut off');
    const segments = pending.reader.feed(block);
    if (!segments) return undefined;
    this.#mapSparse = undefined;
    return this.#sparse(pending.entry, segments, pending.realSize, pending.storedSize);
  }
}

const noXattrs: ReadonlyMap<string, Buffer> = new Map();

function ustarName(block: Buffer): string {
  const name = textField(block, 0, 100);
  // `ustar\0`: a prefix may follow. GNU's own magic, `ustar  `, uses the place for other things.
  if (block[257] !== 0x75 || block[262] !== 0 || block.toString('latin1', 257, 262) !== 'ustar') return name;
  const prefix = textField(block, 345, 155);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function checkedName(name: string): string {
  if (name === '') throw malformed('an entry has no name');
  if (name.length > nameBytesMax) throw malformed(`a name has ${name.length} bytes, the limit is ${nameBytesMax}`);
  return name;
}
