import type { Flag } from './types.ts';

/** Flags that every command takes, before or after its name (guide 1.2.3.5 and the tables of 1.3.1). */
export const commonFlags: readonly Flag[] = [
  { name: 'host', short: 'H', type: 'string', help: 'Daemon socket to connect to (env ISULAD_HOST)', default: '' },
  { name: 'debug', short: 'D', type: 'bool', help: 'Enable debug mode' },
  { name: 'tls', type: 'bool', help: 'Use TLS; implied by --tlsverify' },
  { name: 'tlsverify', type: 'bool', help: 'Use TLS and verify the remote' },
  { name: 'tlscacert', type: 'string', help: 'Trust certs signed only by this CA', default: '' },
  { name: 'tlscert', type: 'string', help: 'Path to TLS certificate file', default: '' },
  { name: 'tlskey', type: 'string', help: 'Path to TLS key file', default: '' },
  { name: 'help', short: 'h', type: 'bool', help: 'Print usage' },
];
