export { openOverlay2, type OpenOverlay2 } from './overlay2.ts';
export type * from './types.ts';
