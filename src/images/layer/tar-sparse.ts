import { malformed, numberField, type SparseSegment } from './tar-format.ts';
import { decimal, type PaxRecords } from './tar-pax.ts';

/** Parts that one sparse file may have. */
const sparseSegmentsMax = 100_000;

/** Checks that parts ascend, do not overlap, and end inside the file; drops empty ones (they mark the end). */
export function checkedSparse(segments: readonly SparseSegment[], realSize: number, storedSize: number): SparseSegment[] {
  let end = 0;
  let stored = 0;
  for (const { offset, length } of segments) {
    if (offset < end || offset + length > realSize) throw malformed('its sparse map is out of order');
    end = offset + length;
    stored += length;
  }
  if (stored !== storedSize) throw malformed('its sparse map does not fit the stored bytes');
  return segments.filter(({ length }) => length > 0);
}

/** `count` (offset, length) pairs of 12 bytes each from an old GNU header or its extension; an empty field ends them. */
export function oldGnuSegments(block: Buffer, at: number, count: number, into: SparseSegment[]): void {
  for (let index = 0; index < count; index++) {
    const place = at + index * 24;
    if (block[place] === 0) return;
    if (into.length >= sparseSegmentsMax) throw malformed(`a sparse file has more than ${sparseSegmentsMax} parts`);
    into.push({ offset: numberField(block, place, 12, 'sparse offset'), length: numberField(block, place + 12, 12, 'sparse length') });
  }
}

/** The map of pax sparse formats 0.0 (repeated pairs) and 0.1 (`GNU.sparse.map`); undefined when the header has neither. */
export function paxSegments({ values, sparsePairs }: PaxRecords): SparseSegment[] | undefined {
  const map = values.get('GNU.sparse.map');
  if (map === undefined && sparsePairs.length === 0 && !values.has('GNU.sparse.numblocks')) return undefined;
  const numbers = map === undefined ? sparsePairs : map === '' ? [] : map.split(',');
  return pairs(numbers);
}

function pairs(numbers: readonly string[]): SparseSegment[] {
  if (numbers.length % 2 !== 0) throw malformed('its sparse map is cut off');
  if (numbers.length > sparseSegmentsMax * 2) throw malformed(`a sparse file has more than ${sparseSegmentsMax} parts`);
  const segments: SparseSegment[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    segments.push({ offset: decimal(numbers[index] ?? '', 'sparse offset'), length: decimal(numbers[index + 1] ?? '', 'sparse length') });
  }
  return segments;
}

/**
 * The map of pax sparse format 1.0, which stands before the file's bytes: lines of decimal numbers, the count of pairs first,
 * padded to whole blocks. Feed it blocks until it has them all.
 */
export class SparseMapReader {
  #text = '';
  #numbers: string[] = [];

  /** Gives the map once the block completes it. */
  feed(block: Buffer): SparseSegment[] | undefined {
    const lines = (this.#text + block.toString('latin1')).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      this.#numbers.push(line);
      const count = decimal(this.#numbers[0] ?? '', 'sparse map');
      if (count > sparseSegmentsMax) throw malformed(`a sparse file has more than ${sparseSegmentsMax} parts`);
      if (this.#numbers.length === 1 + count * 2) return pairs(this.#numbers.slice(1));
    }
    if (this.#text.length > 20) throw malformed('its sparse map is not made of numbers');
    return undefined;
  }
}
