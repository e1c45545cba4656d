import { expect, test } from 'bun:test';
import { Router, route } from './router.ts';
import { routes } from './routes.ts';

const nothing = (): void => undefined;
const router = new Router([
  route('GET', '/images/json', nothing),
  route('GET', '/images/{name*}/json', nothing),
  route('DELETE', '/images/{name*}', nothing),
  route('GET', '/containers/{id}/json', nothing),
  route('POST', '/new', nothing, '1.40'),
]);

test('paths match their routes, with and without a version', () => {
  expect(router.find('GET', '/images/json')?.parameters).toEqual({});
  expect(router.find('GET', '/v1.41/images/localhost:5000/a/b:tag/json')?.parameters).toEqual({ name: 'localhost:5000/a/b:tag' });
  expect(router.find('DELETE', '/images/a%2Fb%3Ac')?.parameters).toEqual({ name: 'a/b:c' });
  expect(router.find('GET', '/containers/x/json')?.version.text).toBe('1.51');
  expect(router.find('GET', '/v1.24/containers/x/json')?.version.text).toBe('1.24');
  const unknown = [
    '/', '', '/images', '/images//json/x', '/containers//json', '/containers/a/b/json', '/containers/x/json/', '/v1.41', '/V1.41/images/json',
  ];
  for (const path of unknown) {
    expect([path, router.find('GET', path)]).toEqual([path, undefined]);
  }
  expect(router.find('POST', '/containers/x/json')).toBeUndefined();
  expect(() => router.find('GET', '/containers/%zz/json')).toThrow('malformed path');
});

test('routes begin with their version; versions outside the range are refused in docker\'s words', () => {
  expect(router.find('POST', '/v1.39/new')).toBeUndefined();
  expect(router.find('POST', '/v1.40/new')).toBeDefined();
  expect(() => router.find('GET', '/v1.10/images/json')).toThrow(
    'client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  );
  expect(() => router.find('GET', '/v1.99/images/json')).toThrow('client version 1.99 is too new. Maximum supported API version is 1.51');
  expect(() => router.find('GET', '/v2.0/images/json')).toThrow('too new');
  expect(() => router.find('GET', '/v1.2.3/images/json')).toThrow('invalid API version');
});

test('no two rows of the table are the same, and none hides a later one of fixed words', () => {
  const all = new Router(routes);
  const seen = new Set<string>();
  for (const { method, segments } of routes) {
    const pattern = `${method} /${segments.join('/')}`;
    expect([pattern, seen.has(pattern)]).toEqual([pattern, false]);
    seen.add(pattern);
    if (!pattern.includes('{')) expect(all.find(method, `/${segments.join('/')}`)?.route.segments).toEqual(segments);
  }
});
