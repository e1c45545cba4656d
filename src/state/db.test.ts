import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StateDb } from './db.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function open(): { db: StateDb; path: string } {
  const directory = mkdtempSync('/tmp/isula-state-');
  directories.push(directory);
  const path = join(directory, 'isulad.db');
  const db = new StateDb(path);
  db.raw.exec('CREATE TABLE item (name TEXT PRIMARY KEY)');
  return { db, path };
}

test('writes of one turn share a commit, and one that fails takes back itself alone', async () => {
  const { db, path } = open();
  const insert = (name: string) => db.write((raw) => raw.query('INSERT INTO item VALUES ($name)').run({ name }));
  const results = await Promise.allSettled([insert('a'), insert('a'), insert('b')]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  db[Symbol.dispose]();
  using again = new StateDb(path);
  expect(again.raw.query('SELECT name FROM item ORDER BY name').all()).toEqual([{ name: 'a' }, { name: 'b' }]);
});

test('what waits is written when the file is closed', async () => {
  const { db, path } = open();
  const written = db.write((raw) => raw.exec("INSERT INTO item VALUES ('late')"));
  db[Symbol.dispose]();
  await written;
  using again = new StateDb(path);
  expect(again.raw.query('SELECT name FROM item').all()).toEqual([{ name: 'late' }]);
});
