import { EngineError, nowMs } from '../base/index.ts';
import type { Filters } from '../images/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { stateFacts, summarizeContainer } from './inspect.ts';
import type { ContainerSummary, ListOptions } from './types.ts';

type Test = (container: Container) => boolean;

/** Docker's container filters (docker ps -f), each a test made of the values given for it; values of one filter are alternatives. */
const filterTests: Record<string, (ctx: EngineContext, values: readonly string[]) => Test> = {
  id: (_ctx, values) => (c) => values.some((value) => c.id.startsWith(value)),
  name: (_ctx, values) => {
    const patterns = values.map(nameTest);
    return (c) => patterns.some((matches) => matches(c.name));
  },
  label: (_ctx, values) => (c) => values.every((value) => hasLabel(c.record.config.Labels, value)),
  'label!': (_ctx, values) => (c) => !values.some((value) => hasLabel(c.record.config.Labels, value)),
  status: (_ctx, values) => {
    const known = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead', 'inited'];
    for (const value of values) if (!known.includes(value)) throw invalidFilter('status', value);
    // `inited` is the guide's word for a container that was made and never started.
    return (c) => values.includes(c.state.status) || (c.state.status === 'created' && values.includes('inited'));
  },
  exited: (_ctx, values) => {
    const codes = values.map((value) => (/^-?\d+$/.test(value) ? Number(value) : undefined));
    for (const [index, code] of codes.entries()) if (code === undefined) throw invalidFilter('exited', values[index] ?? '');
    return (c) => c.state.status === 'exited' && codes.includes(stateFacts(c.state).exitCode);
  },
  health: (_ctx, values) => {
    for (const value of values) if (!['none', 'starting', 'healthy', 'unhealthy'].includes(value)) throw invalidFilter('health', value);
    return (c) => values.includes(c.dynamics.health?.Status ?? 'none');
  },
  ancestor: (ctx, values) => {
    const wanted = new Set<string>(values.flatMap((value) => {
      try {
        return [ctx.images.resolve(value).id];
      } catch {
        return [];
      }
    }));
    return (c) => {
      if (wanted.has(c.record.imageId) || values.includes(c.record.imageName)) return true;
      return values.some((value) => value.length >= 12 && c.record.imageId.slice('sha256:'.length).startsWith(value));
    };
  },
  before: (ctx, values) => {
    const bounds = values.map((value) => ctx.store.find(value));
    return (c) => bounds.every((bound) => bound !== c && c.record.createdAt < bound.record.createdAt);
  },
  since: (ctx, values) => {
    const bounds = values.map((value) => ctx.store.find(value));
    return (c) => bounds.every((bound) => bound !== c && c.record.createdAt > bound.record.createdAt);
  },
  volume: (_ctx, values) => (c) =>
    c.record.mounts.some((mount) => (mount.type === 'volume' && values.includes(mount.source)) || values.includes(mount.target)),
  network: (_ctx, values) => (c) => values.includes(c.record.hostConfig.NetworkMode),
  runtime: (_ctx, values) => (c) => values.includes(c.dynamics.runtime),
  'is-task': (_ctx, values) => () => values.every((value) => value === 'false' || value === '0'),
  publish: () => () => false,
  expose: () => () => false,
};

function invalidFilter(name: string, value: string): EngineError {
  return new EngineError('invalidArgument', `invalid filter '${name}=[${value}]'`);
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
}

/** Longest name pattern that is tried as a regular expression. */
const maxPatternLength = 128;

/** Docker takes the value as a regular expression, and `^/name$` as people write it. */
function nameTest(value: string): (name: string) => boolean {
  if (value.length > maxPatternLength || /[*+}]\)?[*+{]/.test(value)) throw invalidFilter('name', value);
  if (/^[\w.-]*$/.test(value)) return (name) => name.includes(value);
  try {
    const pattern = new RegExp(value);
    return (name) => pattern.test(name) || pattern.test(`/${name}`);
  } catch {
    throw invalidFilter('name', value);
  }
}

/** Newest first, as docker lists them. Filters on status, exit code or health widen the choice to all states, as in docker. */
export async function listContainers(ctx: EngineContext, options: ListOptions): Promise<ContainerSummary[]> {
  const { filters, limit } = options;
  const tests: Test[] = [];
  for (const [name, values] of filters) {
    const make = Object.hasOwn(filterTests, name) ? filterTests[name] : undefined;
    if (!make) throw new EngineError('invalidArgument', `invalid filter '${name}'`);
    tests.push(make(ctx, values));
  }
  const all = options.all || limit > 0 || ['status', 'exited', 'health', 'before', 'since'].some((name) => filters.has(name));
  if (!all) tests.unshift((c) => c.isRunning || c.state.status === 'restarting');
  let chosen = ctx.store.all().filter((container) => tests.every((test) => test(container)));
  chosen.sort((a, b) => b.record.createdAt - a.record.createdAt);
  if (limit > 0) chosen = chosen.slice(0, limit);
  const now = nowMs();
  return Promise.all(chosen.map((container) => summarizeContainer(ctx, container, now, options.size)));
}

/** Filters of `container prune`: label, label!, until. */
export function pruneTest(filters: Filters, until: number | undefined): Test {
  for (const name of filters.keys()) {
    if (name !== 'label' && name !== 'label!' && name !== 'until') throw new EngineError('invalidArgument', `invalid filter '${name}'`);
  }
  const wanted = filters.get('label') ?? [];
  const unwanted = filters.get('label!') ?? [];
  return (container) => {
    const labels = container.record.config.Labels;
    if (until !== undefined && container.record.createdAt >= until) return false;
    return wanted.every((value) => hasLabel(labels, value)) && !unwanted.some((value) => hasLabel(labels, value));
  };
}
