import type { PruneOptions } from '../../images/index.ts';
import { JsonObject } from '../../model/index.ts';
import type { Call } from './call.ts';

/** isula: `dry-run=1`, and with it in a body `WithoutContainers`, the containers that count as gone already. */
export async function pruneOptions(call: Call): Promise<PruneOptions> {
  if (!call.query.boolean('dry-run')) return {};
  const body = new JsonObject((await call.json()) ?? {}, '');
  return { dryRun: true, withoutContainers: new Set(body.strings('WithoutContainers')) };
}
