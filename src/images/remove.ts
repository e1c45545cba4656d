import { booleanFilter, checkFilters, EngineError, lacksLabels, matchesLabels, shortId } from '../base/index.ts';
import type { ImageId } from '../base/index.ts';
import { collectImage, imageEvent } from './context.ts';
import type { ImageContext } from './context.ts';
import { createdMs, isDangling, parseUntil } from './list.ts';
import { canonicalName, canonicalString, familiarString, parseReference, withDefaultTag } from './reference.ts';
import type { ImageReference } from './reference.ts';
import type { StoredImage } from './store/image-store.ts';
import type { Filters, PruneOptions, RemoveOptions, RemoveReport } from './types.ts';

/**
 * `rmi`, by docker's rules (moby daemon/images/image_delete.go): a name takes away that name, and the image when it was
 * its last; an id takes away the image with all names, which needs force when they are in several repositories.
 * @throws notFound, conflict
 */
export async function removeImage(context: ImageContext, text: string, options: RemoveOptions): Promise<RemoveReport[]> {
  const image = context.images.find(text);
  const reports: RemoveReport[] = [];
  if (!context.images.isIdOf(text, image)) {
    const reference = withDefaultTag(parseReference(text, context.options.defaultHost));
    const last = isSingle(context, image);
    if (!options.force && last) refuseUsedReference(context, image, text);
    await untag(context, image, namesGoingWith(context, image, reference), reports);
    const left = context.images.get(image.id);
    if (!left || left.names.length > 0) return reports;
    await deleteUnlessUsed(context, left, { ...options, quiet: true }, reports);
    return reports;
  }
  if (isSingle(context, image)) {
    const conflict = findConflict(context, image, { force: options.force, ignoreReferences: true });
    if (conflict) throw conflict;
    await untag(context, image, image.names, reports);
  }
  const left = context.images.get(image.id);
  if (left) await deleteUnlessUsed(context, left, { ...options, quiet: false }, reports);
  return reports;
}

/** One name, or one tag and digests of the same repository. */
function isSingle(context: ImageContext, image: StoredImage): boolean {
  const references = context.images.references(image);
  if (references.length <= 1) return true;
  const tags = references.filter((reference) => reference.digest === undefined);
  return tags.length <= 1 && new Set(references.map(canonicalName)).size === 1;
}

/** With a repository's last tag go its digests, which would otherwise keep the image for a name nobody typed. */
function namesGoingWith(context: ImageContext, image: StoredImage, removed: ImageReference): string[] {
  const name = canonicalString(removed.digest === undefined ? removed : { ...removed, tag: undefined });
  if (removed.digest !== undefined) return [name];
  const repository = canonicalName(removed);
  const others = context.images.references(image).filter((other) => canonicalName(other) === repository && canonicalString(other) !== name);
  return others.some((other) => other.digest === undefined) ? [name] : [name, ...others.map(canonicalString)];
}

function refuseUsedReference(context: ImageContext, image: StoredImage, text: string): void {
  const [user] = context.uses(image.id);
  if (!user) return;
  throw new EngineError(
    'conflict',
    `conflict: unable to remove repository reference "${text}" (must force) - container ${shortId(user.containerId)} is using its ` +
      `referenced image ${shortId(image.id)}`,
  );
}

async function untag(context: ImageContext, image: StoredImage, names: readonly string[], reports: RemoveReport[]): Promise<void> {
  await context.images.removeNames(names);
  for (const name of names) {
    const shown = shownName(context, name);
    reports.push({ Untagged: shown });
    imageEvent(context, 'untag', image, shown);
  }
}

interface ConflictRules {
  readonly force: boolean;
  readonly ignoreReferences: boolean;
}

/** Why an image cannot be deleted, undefined when it can. Running users and children stand in the way even of force. */
function findConflict(context: ImageContext, image: StoredImage, rules: ConflictRules): EngineError | undefined {
  const refuse = (how: 'must be forced' | 'cannot be forced', why: string): EngineError =>
    new EngineError('conflict', `conflict: unable to delete ${shortId(image.id)} (${how}) - ${why}`);
  if (context.images.childrenOf(image.id).length > 0) return refuse('cannot be forced', 'image has dependent child images');
  const users = context.uses(image.id);
  const running = users.find((user) => user.running);
  if (running) return refuse('cannot be forced', `image is being used by running container ${shortId(running.containerId)}`);
  if (rules.force) return undefined;
  if (!rules.ignoreReferences && image.names.length > 0) return refuse('must be forced', 'image is referenced in multiple repositories');
  const [stopped] = users;
  if (stopped) return refuse('must be forced', `image is being used by stopped container ${shortId(stopped.containerId)}`);
  return undefined;
}

/** `quiet`: a name was taken away already, so that a conflict ends the work without an error. */
async function deleteUnlessUsed(
  context: ImageContext,
  image: StoredImage,
  options: RemoveOptions & { quiet: boolean },
  reports: RemoveReport[],
): Promise<void> {
  const conflict = findConflict(context, image, { force: options.force, ignoreReferences: false });
  if (conflict) {
    if (options.quiet) return;
    throw conflict;
  }
  await deleteImage(context, image, reports);
  const parent = options.noPrune || image.parent === undefined ? undefined : context.images.get(image.parent);
  if (parent && isDangling(parent)) await deleteUnlessUsed(context, parent, { force: false, noPrune: false, quiet: true }, reports);
}

async function deleteImage(context: ImageContext, image: StoredImage, reports: RemoveReport[]): Promise<number> {
  await untag(context, image, image.names, reports);
  if (!(await context.images.removeImage(image.id))) return 0;
  reports.push({ Deleted: image.id });
  imageEvent(context, 'delete', image, image.id);
  const collected = await collectImage(context, image);
  for (const layer of collected.layers) reports.push({ Deleted: layer });
  return collected.bytes;
}

/** `image prune`: dangling images that nothing uses; with `dangling=false` every image that nothing uses. */
export async function pruneImages(
  context: ImageContext, filters: Filters, { dryRun = false, withoutContainers = new Set() }: PruneOptions,
): Promise<{ reports: RemoveReport[]; spaceReclaimed: number }> {
  checkFilters(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const untilMs = parseUntil(filters);
  const reports: RemoveReport[] = [];
  const gone = new Set<ImageId>();
  let spaceReclaimed = 0;
  // Children go before their parents: removing the one frees the other, so passes repeat until one removes nothing.
  for (let removed = true; removed;) {
    removed = false;
    for (const image of [...context.images.all()]) {
      if (gone.has(image.id) || (danglingOnly && !isDangling(image))) continue;
      if (untilMs !== undefined && createdMs(image) >= untilMs) continue;
      const labels = image.config.config?.Labels ?? {};
      if (!matchesLabels(filters, labels) || !lacksLabels(filters, labels)) continue;
      if (context.uses(image.id).some(({ containerId }) => !withoutContainers.has(containerId))) continue;
      if (context.images.childrenOf(image.id).some((child) => !gone.has(child.id))) continue;
      gone.add(image.id);
      if (dryRun) reports.push(...image.names.map((name) => ({ Untagged: shownName(context, name) })), { Deleted: image.id });
      else spaceReclaimed += await deleteImage(context, image, reports);
      removed = true;
    }
  }
  if (!dryRun) return { reports, spaceReclaimed };
  const { layers, bytes } = context.collector.wouldFree(gone, withoutContainers);
  return { reports: [...reports, ...layers.map((layer) => ({ Deleted: layer }))], spaceReclaimed: bytes };
}

function shownName(context: ImageContext, name: string): string {
  return familiarString(parseReference(name, context.options.defaultHost), context.options.defaultHost);
}
