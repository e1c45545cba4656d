import { closeSync, fstatSync } from 'node:fs';
import type { OutputStream } from '../../base/index.ts';
import type { LogOptions } from '../types.ts';
import { openLogFile, openPrevious, type OpenLog } from './files.ts';
import { readAt } from './read-at.ts';
import { recordBytesMax, RecordView } from './record.ts';

const blockBytes = 64 * 1024;
/** How far the beginning of a line that other lines interrupt is looked for once enough lines were found. */
const openLineSearchBytes = 1024 * 1024;

/** A place in a log: files count from 0, the newest, downwards. */
export interface LogPosition {
  readonly file: number;
  readonly offset: number;
}

export interface TailStart {
  /** The oldest file that is needed, open; the caller closes it. */
  readonly log: OpenLog;
  /** Its place in the count of files. */
  readonly file: number;
  /** Where reading begins in it. */
  readonly offset: number;
  /** Records of a stream before this place are not wanted. */
  readonly from: Readonly<Record<OutputStream, LogPosition>>;
}

type Visit = (view: RecordView, offset: number, endOffset: number) => boolean;

/** Visits a file's records from the last to the first, until `visit` says false. Gives whether it wants to go on, and where the last record ends. */
async function scanBackwards(fd: number, visit: Visit): Promise<{ more: boolean; end: number }> {
  const view = new RecordView();
  let position = fstatSync(fd).size;
  let carry = Buffer.alloc(0);
  let end = -1;
  while (position > 0) {
    const length = Math.min(blockBytes, position);
    const bytes = Buffer.alloc(length + carry.length);
    position -= length;
    await readAt(fd, bytes, 0, length, position);
    carry.copy(bytes, length);
    let stop = bytes.length;
    if (end < 0) {
      // What stands behind the last newline is being written: no record yet.
      stop = bytes.lastIndexOf(10) + 1;
      if (stop > 0) end = position + stop;
    }
    while (stop > 0) {
      const before = stop < 2 ? -1 : bytes.lastIndexOf(10, stop - 2);
      if (before < 0 && position > 0) break;
      if (view.parse(bytes, before + 1, stop - 1) && !visit(view, position + before + 1, position + stop)) return { more: false, end };
      stop = before + 1;
    }
    if (stop > recordBytesMax) return { more: false, end };
    carry = bytes.subarray(0, end < 0 ? 0 : stop);
  }
  return { more: true, end: Math.max(end, 0) };
}

interface Tail {
  state: 'unseen' | 'open' | 'done';
  from: LogPosition;
}

/**
 * Where to begin to show the last `tail` lines of the wanted streams, found from the end in blocks. A line may be several
 * records with records of the other stream in between; each stream gets its own beginning. Undefined: there is no log.
 */
export async function findTail(path: string, options: LogOptions, tail: number): Promise<TailStart | undefined> {
  const newest = openLogFile(path, (files) => files.at(-1));
  if (newest === undefined) return undefined;
  let log: OpenLog = newest;
  const streams: Record<OutputStream, Tail> = {
    1: { state: options.stdout ? 'unseen' : 'done', from: { file: 0, offset: 0 } },
    2: { state: options.stderr ? 'unseen' : 'done', from: { file: 0, offset: 0 } },
  };
  const all = [streams[1], streams[2]];
  let count = 0;
  let searched = 0;
  let file = 0;
  const visit: Visit = (view, offset, endOffset) => {
    const stream = streams[view.stream];
    if (stream.state !== 'done') {
      const time = options.since === undefined && options.until === undefined ? 0 : view.timeMs();
      if (options.until !== undefined && time > options.until) return true;
      const begins = stream.state === 'unseen' || !view.partial;
      if (begins && (count === tail || (options.since !== undefined && time < options.since))) {
        if (stream.state === 'unseen') stream.from = { file, offset: endOffset };
        stream.state = 'done';
      } else {
        if (begins) count++;
        stream.state = 'open';
        stream.from = { file, offset };
      }
    }
    if (count === tail) {
      searched += endOffset - offset;
      for (const other of all) {
        if (other.state === 'unseen') other.from = { file, offset: stream.state === 'done' ? endOffset : offset };
        if (other.state === 'unseen' || searched > openLineSearchBytes) other.state = 'done';
      }
    }
    return all.some((one) => one.state !== 'done');
  };
  for (;;) {
    const { more, end } = await scanBackwards(log.fd, tail === 0 ? () => false : visit);
    if (tail === 0) return { log, file, offset: Math.max(end, 0), from: { 1: { file, offset: end }, 2: { file, offset: end } } };
    const previous: OpenLog | undefined = more ? openPrevious(path, log.inode) : undefined;
    if (previous === undefined) break;
    closeSync(log.fd);
    log = previous;
    file--;
  }
  const wanted = [...(options.stdout ? [streams[1]] : []), ...(options.stderr ? [streams[2]] : [])];
  const seen = wanted.filter((one) => one.state !== 'unseen');
  const offset = Math.min(...seen.map(({ from }) => (from.file < file ? 0 : from.file > file ? Infinity : from.offset)));
  return { log, file, offset: Number.isFinite(offset) ? offset : 0, from: { 1: streams[1].from, 2: streams[2].from } };
}
