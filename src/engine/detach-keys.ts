export { DetachFilter, parseDetachKeys } from '../base/index.ts';
