import { expect, test } from 'bun:test';
import { EventBus } from './events.ts';
import type { EventMessage, EventOptions } from './types.ts';

function options(filters: Record<string, string[]> = {}, bounds: { since?: number; until?: number } = {}): EventOptions {
  return { since: bounds.since, until: bounds.until, filters: new Map(Object.entries(filters)) };
}

async function all(events: AsyncIterable<EventMessage>): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of events) seen.push(`${event.Type}:${event.Action}:${event.Actor.ID}`);
  return seen;
}

test('an event has the shape of docker', () => {
  const bus = new EventBus(() => 1_700_000_000_123.5);
  expect(bus.publish('container', 'start', 'abc', { image: 'busybox', name: 'web' })).toEqual({
    Type: 'container', Action: 'start', Actor: { ID: 'abc', Attributes: { image: 'busybox', name: 'web' } }, scope: 'local',
    time: 1_700_000_000, timeNano: 1_700_000_000_123_500_000, status: 'start', id: 'abc', from: 'busybox',
  });
  expect(bus.publish('volume', 'create', 'v', {}).status).toBeUndefined();
});

test('times grow even when the clock does not', () => {
  let now = 1_700_000_000_000;
  const bus = new EventBus(() => (now -= 1));
  const times = Array.from({ length: 50 }, () => bus.publish('daemon', 'x', 'd', {}).timeNano);
  expect(new Set(times).size).toBe(50);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test('past events by since and until, live ones until the signal', async () => {
  let now = 1_700_000_000_000;
  const bus = new EventBus(() => now);
  for (const id of ['a', 'b', 'c']) {
    bus.publish('container', 'start', id, {});
    now += 1000;
  }
  const between = options({}, { since: 1_700_000_001_000, until: 1_700_000_001_500 });
  expect(await all(bus.subscribe(between, AbortSignal.abort()))).toEqual(['container:start:b']);
  const abort = new AbortController();
  const live = bus.subscribe(options({}, { since: 1_700_000_002_000 }), abort.signal);
  const silent = bus.subscribe(options(), abort.signal);
  bus.publish('container', 'die', 'c', {});
  abort.abort();
  bus.publish('container', 'destroy', 'c', {});
  expect(await all(live)).toEqual(['container:start:c', 'container:die:c']);
  expect(await all(silent)).toEqual(['container:die:c']);
});

test('until in the past ends by itself', async () => {
  const bus = new EventBus(() => 1_700_000_000_000);
  bus.publish('container', 'start', 'a', {});
  expect(await all(bus.subscribe(options({}, { until: 1_700_000_000_000 }), new AbortController().signal))).toEqual(['container:start:a']);
});

test('the ring keeps the last 1024', async () => {
  let now = 1_700_000_000_000;
  const bus = new EventBus(() => now++);
  for (let at = 0; at < 1100; at++) bus.publish('image', 'tag', String(at), {});
  const seen = await all(bus.subscribe(options({}, { since: 0 }), AbortSignal.abort()));
  expect(seen.length).toBe(1024);
  expect(seen[0]).toBe('image:tag:76');
  expect(seen.at(-1)).toBe('image:tag:1099');
});

test('filters', async () => {
  const bus = new EventBus();
  bus.publish('container', 'health_status: healthy', 'c1', { name: 'web', image: 'repo/app:1', role: 'db' });
  bus.publish('container', 'start', 'c2', { name: 'other', image: 'busybox' });
  bus.publish('image', 'tag', 'sha256:1', { name: 'repo/app:1' });
  bus.publish('volume', 'create', 'vol', { driver: 'local' });
  const with_ = (filters: Record<string, string[]>): Promise<string[]> => all(bus.subscribe(options(filters, { since: 0 }), AbortSignal.abort()));
  expect(await with_({ event: ['health_status'] })).toEqual(['container:health_status: healthy:c1']);
  expect(await with_({ event: ['start', 'tag'] })).toEqual(['container:start:c2', 'image:tag:sha256:1']);
  expect(await with_({ type: ['volume', 'image'] })).toEqual(['image:tag:sha256:1', 'volume:create:vol']);
  expect(await with_({ container: ['we'] })).toEqual(['container:health_status: healthy:c1']);
  expect(await with_({ container: ['c2'], event: ['start'] })).toEqual(['container:start:c2']);
  expect(await with_({ image: ['repo/app'] })).toEqual(['container:health_status: healthy:c1', 'image:tag:sha256:1']);
  expect(await with_({ label: ['role=db'] })).toEqual(['container:health_status: healthy:c1']);
  expect(await with_({ volume: ['vol'] })).toEqual(['volume:create:vol']);
  expect(await with_({ daemon: ['x'] })).toEqual([]);
  expect(await with_({ scope: ['swarm'] })).toEqual([]);
  expect(await with_({ plugin: ['x'] })).toEqual([]);
  expect(() => bus.subscribe(options({ nope: [] }), AbortSignal.abort())).toThrow("invalid filter 'nope'");
});

test('a reader that falls too far behind gets what is queued and an error', async () => {
  const bus = new EventBus();
  const events = bus.subscribe(options(), new AbortController().signal);
  for (let at = 0; at < 8200; at++) bus.publish('daemon', 'x', String(at), {});
  let count = 0;
  let message = '';
  try {
    for await (const event of events) if (event.Actor.ID === String(count)) count++;
  } catch (error) {
    message = String(error);
  }
  expect(count).toBe(8192);
  expect(message).toContain('events behind');
});

test('leaving the loop unsubscribes', async () => {
  const bus = new EventBus();
  const events = bus.subscribe(options(), new AbortController().signal);
  bus.publish('daemon', 'a', 'd', {});
  bus.publish('daemon', 'b', 'd', {});
  for await (const event of events) {
    expect(event.Action).toBe('a');
    break;
  }
  expect(await all(events)).toEqual([]);
});
