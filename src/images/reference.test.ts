import { describe, expect, test } from 'bun:test';
import { canonicalString, familiarString, parseReference, parseRepository, withDefaultTag } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('references', () => {
  test.each([
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['index.docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['docker.io/user/app:v1', 'docker.io/user/app:v1', 'user/app:v1'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:x', 'localhost:5000/a/b/c:x', 'localhost:5000/a/b/c:x'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    ['Reg/app', 'Reg/app:latest', 'Reg/app:latest'],
    [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
    [`host:1/x:t@${digest}`, `host:1/x:t@${digest}`, `host:1/x:t@${digest}`],
    ['a__b/c---d.e', 'docker.io/a__b/c---d.e:latest', 'a__b/c---d.e:latest'],
  ])('%s', (text, canonical, familiar) => {
    const reference = withDefaultTag(parseReference(text));
    expect(canonicalString(reference)).toBe(canonical);
    expect(familiarString(reference)).toBe(familiar);
    expect(parseReference(familiar)).toEqual(reference);
  });

  test.each([
    ['', 'invalid reference format: the reference is empty'],
    ['Busybox', 'invalid reference format: repository name must be lowercase'],
    ['busybox:', 'invalid reference format: tag ""'],
    [`busybox:${'t'.repeat(129)}`, 'invalid reference format: tag'],
    ['a//b', 'invalid reference format: the repository name has an empty part'],
    ['-a', 'invalid reference format: repository part "-a"'],
    ['a..b', 'invalid reference format: repository part "a..b"'],
    ['-host.x/a', 'invalid reference format: registry host "-host.x"'],
    ['host:port/a', 'invalid reference format: registry host "host:port"'],
    ['a@sha256:abc', 'invalid reference format: digest "sha256:abc"'],
    [`a@${digest.toUpperCase().replace('SHA', 'sha')}`, 'invalid reference format: digest'],
    [`a@sha512:${'a'.repeat(128)}`, 'unsupported digest algorithm: "sha512"'],
    ['a'.repeat(64), 'invalid repository name (aaaa'],
    ['a/'.repeat(127) + 'abcd', 'invalid reference format: repository name must not be more than 255 characters'],
    ['x'.repeat(600), 'invalid reference format: the reference has 600 characters'],
  ])('refuses %p', (text, message) => {
    expect(() => parseReference(text)).toThrow(message);
  });

  test('another default host adds no library/ and is left out when shown', () => {
    const reference = withDefaultTag(parseReference('app', 'reg.local:5000'));
    expect(canonicalString(reference)).toBe('reg.local:5000/app:latest');
    expect(familiarString(reference, 'reg.local:5000')).toBe('app:latest');
    expect(familiarString(parseReference('docker.io/busybox:1', 'reg.local:5000'), 'reg.local:5000')).toBe('docker.io/library/busybox:1');
  });

  test('a repository carries neither tag nor digest', () => {
    expect(() => parseRepository('a:b')).toThrow('names more than a repository');
  });
});
