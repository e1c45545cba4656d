export { StateDb } from './db.ts';
