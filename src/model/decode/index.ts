export { decodeContainerConfig } from './container-config.ts';
export { decodeCreateRequest } from './create.ts';
export { JsonObject } from './json-object.ts';
export { decodeUpdate } from './update.ts';
