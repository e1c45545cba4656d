/** What a client may take of the daemon before it has asked for anything sensible. */
export interface WireLimits {
  /** Connections at once, of all listeners together. */
  readonly connectionsMax: number;
  /** A request's line and headers. */
  readonly headerBytesMax: number;
  /** From the first byte of a request (or from accept) to the end of its headers. */
  readonly headerMs: number;
  /** A kept-alive connection without a request. Go's clients reuse connections for 90 s: it must be longer than that. */
  readonly idleMs: number;
  /** How long a hijacked connection whose output has ended waits for the client's own end. */
  readonly lingerMs: number;
  /** How often the clocks above are looked at. */
  readonly sweepMs: number;
}

export const defaultWireLimits: WireLimits = {
  connectionsMax: 4096,
  headerBytesMax: 64 * 1024,
  headerMs: 30_000,
  idleMs: 10 * 60_000,
  lingerMs: 10_000,
  sweepMs: 5_000,
};
