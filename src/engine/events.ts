import { checkFilters, EngineError, matchesLabels, nowMs } from '../base/index.ts';
import type { EventMessage, EventOptions } from './types.ts';

/** Past events that can be asked for again. */
const eventsKept = 1024;
/** Events a subscriber may be behind before it is let go: the daemon's memory is not its store. */
const subscriberBacklogMax = 8192;
const subscribersMax = 1024;
/** Of a number as large as nanoseconds since the epoch, the distance to the next one a double can hold. */
const timeStepNanos = 256;
/** The longest wait that a timer takes. */
const timerMax = 2 ** 31 - 1;

/** What `events --filter` may name: docker's, of which plugin, node, service, secret and config match nothing here. */
const filterNames = [
  'config', 'container', 'daemon', 'event', 'image', 'label', 'network', 'node', 'plugin', 'scope', 'secret', 'service', 'type', 'volume',
];

/** Those of them that name an object, by its kind. */
const namedKinds = ['daemon', 'container', 'volume', 'network', 'plugin', 'node', 'service', 'secret', 'config'];

type Filters = EventOptions['filters'];

function isOneOf(filters: Filters, name: string, ...candidates: string[]): boolean {
  const values = filters.get(name);
  return values === undefined || values.length === 0 || values.some((value) => candidates.includes(value));
}

function startsOneOf(filters: Filters, name: string, ...candidates: string[]): boolean {
  const values = filters.get(name);
  return values === undefined || values.length === 0 || values.some((value) => candidates.some((candidate) => candidate.startsWith(value)));
}

/** `health_status`, `exec_create` and `exec_start` carry more behind a colon. */
function matchesAction(filters: Filters, action: string): boolean {
  const open = (filters.get('event') ?? []).some((value) => value === 'health_status' || value === 'exec_create' || value === 'exec_start');
  return open ? startsOneOf(filters, 'event', action) : isOneOf(filters, 'event', action);
}

function withoutTag(reference: string): string {
  const colon = reference.lastIndexOf(':');
  return colon > reference.lastIndexOf('/') ? reference.slice(0, colon) : reference;
}

/** Whether a filter of another kind of object lets this one pass: it must be named by id or name (prefixes count). */
function matchesName(filters: Filters, kind: string, event: EventMessage): boolean {
  const wanted = filters.get(kind);
  if (wanted === undefined || wanted.length === 0) return true;
  return event.Type === kind && startsOneOf(filters, kind, event.Actor.ID, event.Actor.Attributes['name'] ?? event.Actor.ID);
}

function matchesImage(filters: Filters, event: EventMessage): boolean {
  const name = event.Actor.Attributes[event.Type === 'image' ? 'name' : 'image'] ?? '';
  const id = event.Type === 'image' ? event.Actor.ID : '';
  return isOneOf(filters, 'image', id, name, withoutTag(id), withoutTag(name));
}

function matches(filters: Filters, event: EventMessage): boolean {
  return isOneOf(filters, 'type', event.Type) && matchesAction(filters, event.Action) && isOneOf(filters, 'scope', event.scope)
    && namedKinds.every((kind) => matchesName(filters, kind, event))
    && matchesImage(filters, event) && matchesLabels(filters, event.Actor.Attributes);
}

/** One listener: a queue of bounded length between the bus and a consumer. */
class Subscription implements AsyncIterableIterator<EventMessage> {
  readonly #queue: EventMessage[] = [];
  #wake: (() => void) | undefined;
  #failure: EngineError | undefined;
  #ended = false;
  readonly #close: () => void;

  constructor(readonly filters: Filters, readonly untilNano: number, close: () => void) {
    this.#close = close;
  }

  /** Takes an event; false: it is too far behind and has been let go. */
  offer(event: EventMessage): boolean {
    if (event.timeNano > this.untilNano || !matches(this.filters, event)) return true;
    if (this.#queue.length >= subscriberBacklogMax) {
      this.end(new EngineError('resourceExhausted', `Cannot send more events: the reader is ${subscriberBacklogMax} events behind`));
      return false;
    }
    this.#queue.push(event);
    this.#wake?.();
    return true;
  }

  /** What is queued is still delivered. */
  end(failure?: EngineError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#close();
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<EventMessage>> {
    for (;;) {
      const event = this.#queue.shift();
      if (event !== undefined) return { done: false, value: event };
      if (this.#failure !== undefined) {
        const failure = this.#failure;
        this.#failure = undefined;
        throw failure;
      }
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  return(): Promise<IteratorResult<EventMessage>> {
    this.end();
    this.#queue.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** The engine's events (docker: GET /events): the last ones are kept, live ones go to every subscriber. */
export class EventBus {
  /** A ring: the oldest stands at `#start`. */
  readonly #kept: EventMessage[] = [];
  #start = 0;
  #lastNano = 0;
  readonly #subscribers = new Set<Subscription>();
  readonly #now: () => number;

  /** `now`: ms since the epoch. */
  constructor(now: () => number = nowMs) {
    this.#now = now;
  }

  /** Announces an event. Times never run backwards and no two events share one, whatever the clock does. */
  publish(type: EventMessage['Type'], action: string, id: string, attributes: Readonly<Record<string, string>>): EventMessage {
    const timeNano = Math.max(Math.round(this.#now() * 1e6), this.#lastNano + timeStepNanos);
    this.#lastNano = timeNano;
    const event: EventMessage = {
      Type: type, Action: action, Actor: { ID: id, Attributes: { ...attributes } }, scope: 'local', time: Math.floor(timeNano / 1e9), timeNano,
    };
    // The fields of before API 1.22, which clients still print.
    if (type === 'container' || type === 'image') Object.assign(event, { status: action, id });
    if (type === 'container' && attributes['image'] !== undefined) event.from = attributes['image'];
    if (this.#kept.length < eventsKept) this.#kept.push(event);
    else {
      this.#kept[this.#start] = event;
      this.#start = (this.#start + 1) % eventsKept;
    }
    for (const subscriber of this.#subscribers) subscriber.offer(event);
    return event;
  }

  /**
   * Past events first when `since` or `until` is given, then live ones until the signal or `until`. Registered when the call
   * returns. The iteration fails with resourceExhausted when its reader falls too far behind.
   * @throws invalidArgument for an unknown filter
   */
  subscribe(options: EventOptions, signal: AbortSignal): AsyncIterable<EventMessage> {
    checkFilters(options.filters, filterNames);
    if (this.#subscribers.size >= subscribersMax) {
      throw new EngineError('resourceExhausted', `Cannot watch events: ${subscribersMax} others do already`);
    }
    const untilNano = options.until === undefined ? Infinity : options.until * 1e6;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = (): void => subscription.end();
    const subscription = new Subscription(options.filters, untilNano, () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#subscribers.delete(subscription);
    });
    if (options.since !== undefined || options.until !== undefined) {
      const sinceNano = (options.since ?? 0) * 1e6;
      for (let at = 0; at < this.#kept.length; at++) {
        const event = this.#kept[(this.#start + at) % this.#kept.length];
        if (event !== undefined && event.timeNano >= sinceNano) subscription.offer(event);
      }
    }
    if (signal.aborted) {
      stop();
      return subscription;
    }
    signal.addEventListener('abort', stop);
    this.#subscribers.add(subscription);
    if (options.until !== undefined) {
      const until = options.until;
      const wait = (): void => {
        const left = until - this.#now();
        if (left <= 0) stop();
        else timer = setTimeout(wait, Math.min(Math.ceil(left), timerMax));
      };
      wait();
    }
    return subscription;
  }
}
