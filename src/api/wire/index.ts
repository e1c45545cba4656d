export { createConnectionHandler, type ConnectionHandler } from './connection.ts';
export { makeFrame, systemErrorStream } from './frame.ts';
export { WindowShim } from './h2-shim.ts';
export { HijackedStream, readUpgradeBody } from './hijack.ts';
export { defaultWireLimits, type WireLimits } from './limits.ts';
