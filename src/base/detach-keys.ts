import { EngineError } from './errors.ts';

/** What docker and isula use when nothing else is said. */
const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** A sequence longer than this is a mistake. */
const detachKeysMax = 32;

const escape = 'ctrl-';

function keyByte(key: string): number | undefined {
  if (key === 'DEL') return 127;
  if (key.length === 1) {
    const code = key.charCodeAt(0);
    return code < 128 ? code : undefined;
  }
  if (!key.startsWith(escape) || key.length !== escape.length + 1) return undefined;
  const letter = key.charAt(escape.length);
  if (letter >= 'a' && letter <= 'z') return letter.charCodeAt(0) - 96;
  const special = '@[\\]^_'.indexOf(letter);
  if (special < 0) return undefined;
  return special === 0 ? 0 : 26 + special;
}

/**
 * The bytes of a detach sequence in docker's grammar: keys with commas between them, each a character, `DEL`, or `ctrl-`
 * and one of `a`..`z @ [ \ ] ^ _`. Empty: the default.
 * @throws invalidArgument
 */
export function parseDetachKeys(text: string): Uint8Array {
  const keys = (text === '' ? defaultDetachKeys : text).split(',');
  if (keys.length > detachKeysMax) throw new EngineError('invalidArgument', `Invalid detach keys: more than ${detachKeysMax} of them`);
  return Uint8Array.from(keys, (key) => {
    const byte = keyByte(key);
    if (byte === undefined) {
      throw new EngineError('invalidArgument', `Invalid detach keys (${text.slice(0, 80)}) provided: Unknown character: '${key.slice(0, 20)}'`);
    }
    return byte;
  });
}

/** What a chunk of input came to: what to pass on, and whether the sequence was completed (the rest of the input is dropped). */
export interface DetachResult {
  readonly data: Uint8Array;
  readonly detached: boolean;
}

/**
 * Finds the detach sequence in a stream of input, across chunks. Bytes are held back only while they may be its start,
 * and are passed on unchanged once they are not (Knuth, Morris, Pratt, so that `ppq` finds `pq`).
 */
export class DetachFilter {
  readonly #keys: Uint8Array;
  /** Per key: how much of the sequence is still matched when the next key differs. */
  readonly #fallback: Int32Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
    this.#fallback = new Int32Array(keys.length);
    for (let at = 1, length = 0; at < keys.length; at++) {
      while (length > 0 && keys[at] !== keys[length]) length = this.#fallback[length - 1] ?? 0;
      if (keys[at] === keys[length]) length++;
      this.#fallback[at] = length;
    }
  }

  push(chunk: Uint8Array): DetachResult {
    const keys = this.#keys;
    // The common case, no key held and none in the chunk, copies nothing.
    if (keys.length === 0 || (this.#matched === 0 && !chunk.includes(keys[0] ?? 0))) return { data: chunk, detached: false };
    const out = new Uint8Array(this.#matched + chunk.length);
    let length = 0;
    for (const byte of chunk) {
      while (this.#matched > 0 && byte !== keys[this.#matched]) {
        const shorter = this.#fallback[this.#matched - 1] ?? 0;
        out.set(keys.subarray(0, this.#matched - shorter), length);
        length += this.#matched - shorter;
        this.#matched = shorter;
      }
      if (byte !== keys[this.#matched]) out[length++] = byte;
      else if (++this.#matched === keys.length) return { data: out.subarray(0, length), detached: true };
    }
    return { data: out.subarray(0, length), detached: false };
  }

  /** What is still held back, at the end of the input. */
  flush(): Uint8Array {
    const held = this.#keys.slice(0, this.#matched);
    this.#matched = 0;
    return held;
  }
}
