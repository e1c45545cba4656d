export * from './client.ts';
export * from './endpoint.ts';
export * from './errors.ts';
export * from './frames.ts';
export type { Body, ResponseHead } from './http.ts';
export * from './json.ts';
export { Wire } from './wire.ts';
