import { booleanFilter, checkFilters, EngineError, lacksLabels, matchesLabels } from '../base/index.ts';
import type { ImageRecord } from '../model/index.ts';
import type { ImageContext } from './context.ts';
import type { StoredImage } from './store/image-store.ts';
import type { Filters, HistoryRow } from './types.ts';

const listFilters = ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until'] as const;

/** True for an image that no tag names. Digests alone do not count: the name of a moved tag is what docker shows as <none>. */
export function isDangling(image: StoredImage): boolean {
  return !image.names.some((name) => !name.includes('@'));
}

export function createdMs(image: StoredImage): number {
  const ms = Date.parse(image.config.created ?? '');
  return Number.isNaN(ms) ? 0 : ms;
}

/**
 * `docker images`: newest first; without `all` the unnamed images that others were built from stay out. With a `reference` filter
 * an image shows the names that match alone. @throws invalidArgument
 */
export function listImages(context: ImageContext, filters: Filters, all: boolean): ImageRecord[] {
  checkFilters(filters, listFilters);
  const dangling = booleanFilter(filters, 'dangling');
  const before = bound(context, filters, 'before');
  const since = bound(context, filters, 'since');
  const untilMs = parseUntil(filters);
  const patterns = (filters.get('reference') ?? []).map(referencePattern);
  const parents = new Set([...context.images.all()].map((image) => image.parent));
  const found = [...context.images.all()].filter((image) => {
    const unnamed = isDangling(image);
    if (!all && unnamed && parents.has(image.id)) return false;
    if (dangling !== undefined && dangling !== (unnamed && !parents.has(image.id))) return false;
    const created = createdMs(image);
    if (before !== undefined && created >= before) return false;
    if (since !== undefined && created <= since) return false;
    if (untilMs !== undefined && created >= untilMs) return false;
    const labels = image.config.config?.Labels ?? {};
    return matchesLabels(filters, labels) && lacksLabels(filters, labels);
  });
  const records = found.toSorted((a, b) => createdMs(b) - createdMs(a) || b.addedAt - a.addedAt).map((image) => context.images.record(image));
  if (!filters.has('reference')) return records;
  return records.flatMap((record) => withNames(record, (name) => patterns.some((pattern) => pattern.test(name))));
}

/** The image with the names that match, by their whole or without tag and digest; none when there are none. */
function withNames(record: ImageRecord, matches: (name: string) => boolean): ImageRecord[] {
  const repoTags = record.repoTags.filter((name) => matches(name) || matches(name.slice(0, name.lastIndexOf(':'))));
  const repoDigests = record.repoDigests.filter((name) => matches(name) || matches(name.slice(0, name.lastIndexOf('@'))));
  return repoTags.length + repoDigests.length > 0 ? [{ ...record, repoTags, repoDigests }] : [];
}

function bound(context: ImageContext, filters: Filters, name: 'before' | 'since'): number | undefined {
  const times = (filters.get(name) ?? []).map((reference) => createdMs(context.images.find(reference)));
  if (times.length === 0) return undefined;
  return name === 'before' ? Math.min(...times) : Math.max(...times);
}

/** Shell patterns as Go's path.Match has them: `*` and `?` stop at a slash. @throws invalidArgument */
function referencePattern(text: string): RegExp {
  if (text.length > 300) throw new EngineError('invalidArgument', 'invalid reference filter: longer than 300 characters');
  // A run of stars means the same as one; kept single, the expression cannot be made to backtrack for long.
  const source = text.replaceAll(/\*+/g, '*').replaceAll(/[.+^${}()|\\/]/g, '\\$&').replaceAll('*', '[^/]*').replaceAll('?', '[^/]');
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw new EngineError('invalidArgument', `invalid reference filter: syntax error in pattern ${JSON.stringify(text)}`);
  }
}

/** `until`: a time (RFC 3339 or a Unix timestamp), or a duration before now. */
export function parseUntil(filters: Filters): number | undefined {
  const values = filters.get('until') ?? [];
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1) throw new EngineError('invalidArgument', 'more than one until filter specified');
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(h|m|s)/g)];
  if (parts.length > 0 && parts.map(([whole]) => whole).join('') === value) {
    const unitMs: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000 };
    return Date.now() - parts.reduce((sum, [, amount = '', unit = '']) => sum + Number(amount) * (unitMs[unit] ?? 0), 0);
  }
  const time = Date.parse(value);
  if (Number.isNaN(time)) throw new EngineError('invalidArgument', `invalid filter 'until=${value.slice(0, 80)}': want a time or a duration`);
  return time;
}

/** `docker history`, newest first. Layers without a history entry get a row of their own, so that the sizes add up. */
export function imageHistory(context: ImageContext, reference: string): HistoryRow[] {
  const image = context.images.find(reference);
  const rows: HistoryRow[] = [];
  let layer = 0;
  const layerSize = (): number => {
    const chainId = image.layers[layer++]?.chainId;
    return chainId === undefined ? 0 : context.snapshots.layerSize(chainId);
  };
  for (const entry of image.config.history ?? []) {
    const created = Date.parse(entry.created ?? '');
    rows.push({
      Id: '<missing>',
      Created: Number.isNaN(created) ? 0 : Math.floor(created / 1000),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: entry.empty_layer === true ? 0 : layerSize(),
      Comment: entry.comment ?? '',
    });
  }
  while (layer < image.layers.length) rows.push({ Id: '<missing>', Created: 0, CreatedBy: '', Tags: null, Size: layerSize(), Comment: '' });
  rows.reverse();
  labelAncestors(context, image, rows);
  return rows;
}

/** The rows of which an image is known carry its id and tags: the image itself, and the parents it was committed from. */
function labelAncestors(context: ImageContext, image: StoredImage, rows: HistoryRow[]): void {
  const top = rows[0];
  if (!top) return;
  let at: StoredImage | undefined = image;
  while (at) {
    const row = rows[rows.length - Math.max(1, at.config.history?.length ?? rows.length)];
    if (!row) return;
    const tags = context.images.record(at).repoTags;
    row.Id = at.id;
    row.Tags = tags.length > 0 ? [...tags] : null;
    at = at.parent === undefined ? undefined : context.images.get(at.parent);
  }
}
