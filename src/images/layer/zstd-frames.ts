const frameMagic = 0xfd2fb528;
/** 0x184D2A50 to 0x184D2A5F. */
const skippableMagic = 0x184d2a5;

type State = 'magic' | 'descriptor' | 'block' | 'skippable';
const fieldBytes: Record<State, number> = { magic: 4, descriptor: 1, block: 3, skippable: 4 };

/**
 * Follows the frames of a zstd stream (RFC 8878, 3.1) without uncompressing them, to know whether it ends where a frame does:
 * Bun 1.4's decompressor takes a stream that was cut off, or has something else behind it, for a whole one.
 */
export class ZstdFrames {
  #state: State = 'magic';
  #field: number[] = [];
  #fieldBytes = fieldBytes.magic;
  #skip = 0;
  #checksum = false;

  /** True at the end of a frame. */
  get complete(): boolean {
    return this.#state === 'magic' && this.#field.length === 0 && this.#skip === 0;
  }

  /** False when the bytes break the form. */
  feed(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      if (this.#skip > 0) {
        const size = Math.min(this.#skip, chunk.length - at);
        this.#skip -= size;
        at += size;
        continue;
      }
      this.#field.push(chunk[at++] ?? 0);
      if (this.#field.length === this.#fieldBytes && !this.#take()) return false;
    }
    return true;
  }

  #take(): boolean {
    const value = this.#field.reduceRight((sum, byte) => sum * 256 + byte, 0);
    switch (this.#state) {
      case 'magic':
        if (value === frameMagic) this.#expect('descriptor');
        else if (Math.floor(value / 16) === skippableMagic) this.#expect('skippable');
        else return false;
        return true;
      case 'skippable':
        this.#expect('magic');
        this.#skip = value;
        return true;
      case 'descriptor': {
        this.#checksum = (value & 4) !== 0;
        const single = (value & 0x20) !== 0;
        const contentSize = value >> 6 === 0 ? (single ? 1 : 0) : 1 << (value >> 6);
        const dictionaryId = [0, 1, 2, 4][value & 3] ?? 0;
        this.#expect('block');
        this.#skip = (single ? 0 : 1) + dictionaryId + contentSize;
        return true;
      }
      case 'block': {
        const type = (value >> 1) & 3;
        if (type === 3) return false;
        const last = (value & 1) !== 0;
        this.#expect(last ? 'magic' : 'block');
        // A run-length block has one byte, whatever it stands for.
        this.#skip = (type === 1 ? 1 : value >> 3) + (last && this.#checksum ? 4 : 0);
        return true;
      }
    }
  }

  #expect(state: State): void {
    this.#state = state;
    this.#field = [];
    this.#fieldBytes = fieldBytes[state];
  }
}
