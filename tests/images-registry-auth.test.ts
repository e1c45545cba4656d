import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bench, importTar, noSignal, quiet } from './images-kit.ts';
import { haveRegistry, LocalRegistry, run } from './images-registry-kit.ts';
import { TokenServer } from './images-token-server.ts';

const plain = { all: false, platform: '', auth: undefined };
const pushed = { all: false, auth: undefined };

/** An authority, a server certificate for localhost only, one that is out of date, and a client certificate with an encrypted key. */
let dir = '';
const at = (name: string): string => join(dir, name);

async function certificate(name: string, subject: string, extension: string, days: string[]): Promise<void> {
  await run(['openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${subject}`]);
  writeFileSync(at('extensions'), extension);
  await run(
    [
      'openssl', 'x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial',
      '-out', at(`${name}.crt`), '-extfile', at('extensions'), ...days,
    ],
  );
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'isula-certs-'));
  await run(
    [
      'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('ca.key'), '-out', at('ca.crt'), '-days', '2',
      '-subj', '/CN=test authority',
    ],
  );
  await certificate('server', 'registry.localhost', 'subjectAltName=DNS:registry.localhost', ['-days', '2']);
  await certificate('expired', 'registry.localhost', 'subjectAltName=DNS:registry.localhost', ['-days', '-1']);
  await certificate('client', 'client', 'extendedKeyUsage=clientAuth', ['-days', '2']);
  await run(['openssl', 'pkcs8', '-topk8', '-in', at('client.key'), '-out', at('client-encrypted.key'), '-passout', 'pass:secret']);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A certs.d directory for one host. */
function certsFor(host: string, files: Record<string, string>): string {
  const certs = mkdtempSync(join(dir, 'certs.d-'));
  mkdirSync(join(certs, host));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(certs, host, name), content);
  return certs;
}

/** `registry.localhost` is loopback for every resolver (RFC 6761), and yet no name that counts as insecure by itself. */
function named(registry: LocalRegistry): string {
  return registry.host.replace('127.0.0.1', 'registry.localhost');
}

const bcryptOf = (password: string): string => Bun.password.hashSync(password, { algorithm: 'bcrypt', cost: 4 }).replace(/^\$2b/, '$2y');

describe.skipIf(!haveRegistry)('TLS', () => {
  test('an unknown authority is refused until ca.crt is in certs.d; the key that decides who may come is used', async () => {
    await using registry = await LocalRegistry.start({ tls: { cert: at('server.crt'), key: at('server.key'), clientCa: at('ca.crt') } });
    const host = named(registry);
    const ca = readFileSync(at('ca.crt'), 'utf8');
    const cert = readFileSync(at('client.crt'), 'utf8');
    const attempt = async (files: Record<string, string>, options: object = {}): Promise<string> => {
      await using bench = await Bench.open({ certsDirs: [certsFor(host, files)], retryDelayMs: 1, ...options });
      await importTar(bench, `${host}/app`, { a: '1' });
      return await bench.images.push(
        { reference: `${host}/app`, ...pushed },
        quiet,
        noSignal,
      ).then(() => 'pushed', (error: unknown) => String(error));
    };
    expect(await attempt({})).toContain('x509: certificate signed by unknown authority');
    expect(await attempt({ 'ca.crt': ca })).not.toBe('pushed');
    expect(await attempt({ 'ca.crt': ca, 'tls.cert': cert, 'tls.key': readFileSync(at('client.key'), 'utf8') })).toBe('pushed');
    expect(await attempt({ 'ca.crt': ca, 'tls.cert': cert })).toContain('missing key tls.key for client certificate tls.cert');
    const encrypted = { 'ca.crt': ca, 'tls.cert': cert, 'tls.key': readFileSync(at('client-encrypted.key'), 'utf8') };
    expect(await attempt(encrypted)).toContain('the key is encrypted; set use-decrypted-key to false');
    expect(await attempt(encrypted, { useDecryptedKey: false })).toContain('its passphrase is missing');
    expect(await attempt({ ...encrypted, 'tls.pass': 'secret\n' }, { useDecryptedKey: false })).toBe('pushed');
  });

  test('a certificate for another host, or out of date', async () => {
    await using wrong = await LocalRegistry.start({ tls: { cert: at('server.crt'), key: at('server.key') } });
    await using old = await LocalRegistry.start({ tls: { cert: at('expired.crt'), key: at('expired.key') } });
    const ca = { 'ca.crt': readFileSync(at('ca.crt'), 'utf8') };
    const other = wrong.host.replace('127.0.0.1', 'other.localhost');
    const attempt = async (host: string, options: object = {}): Promise<string> => {
      await using bench = await Bench.open({ certsDirs: [certsFor(host, ca)], retryDelayMs: 1, ...options });
      return await bench.images.pull({ ...plain, reference: `${host}/app` }, quiet, noSignal).then(() => 'pulled', (error: unknown) => String(error));
    };
    expect(await attempt(other)).toContain('x509: certificate is not valid for this host name');
    expect(await attempt(other, { insecureSkipVerify: true })).toContain('manifest unknown');
    expect(await attempt(named(old))).toContain('x509: certificate has expired');
    expect(await attempt(named(old), { insecureRegistries: [named(old)] })).toContain('manifest unknown');
  });
});

describe.skipIf(!haveRegistry)('credentials', () => {
  test('basic: login keeps them sealed, pull and push use them, logout forgets them', async () => {
    await using registry = await LocalRegistry.start({ htpasswd: `me:${bcryptOf('right')}\n` });
    await using bench = await Bench.open();
    const reference = `${registry.host}/app`;
    await importTar(bench, reference, { a: '1' });
    await expect(bench.images.push({ reference, ...pushed }, quiet, noSignal)).rejects.toThrow('unauthorized');
    const wrong = { username: 'me', password: 'wrong', serveraddress: registry.host };
    await expect(bench.images.login(wrong, true, noSignal)).rejects.toThrow('unauthorized: incorrect username or password');
    expect(existsSync(join(bench.root, 'auths', 'credentials.json'))).toBe(false);
    expect(await bench.images.login({ ...wrong, password: 'right' }, true, noSignal)).toEqual({ status: 'Login Succeeded', identityToken: '' });
    const stored = join(bench.root, 'auths', 'credentials.json');
    expect(statSync(join(bench.root, 'auths', 'aeskey')).mode & 0o777).toBe(0o600);
    expect(statSync(stored).mode & 0o777).toBe(0o600);
    expect(readFileSync(stored, 'utf8')).not.toContain('right');
    await bench.reopen();
    await bench.images.push({ reference, ...pushed }, quiet, noSignal);
    await bench.images.pull({ ...plain, reference }, quiet, noSignal);
    // A key that is gone makes what it sealed useless (guide 4.3.6).
    rmSync(join(bench.root, 'auths', 'aeskey'));
    await expect(bench.images.pull({ ...plain, reference }, quiet, noSignal)).rejects.toThrow('unauthorized');
    await bench.images.pull({ ...plain, reference, auth: { username: 'me', password: 'right' } }, quiet, noSignal);
    await bench.images.login({ ...wrong, password: 'right' }, true, noSignal);
    await bench.images.pull({ ...plain, reference }, quiet, noSignal);
    await bench.images.logout(registry.host);
    await expect(bench.images.pull({ ...plain, reference }, quiet, noSignal)).rejects.toThrow("pull access denied");
    await expect(bench.images.logout(registry.host)).rejects.toThrow(`Not logged in to ${registry.host}`);
  });

  test('bearer: tokens of the token server, by scope, refreshed, and a push without rights', async () => {
    await using tokens = await TokenServer.start(dir);
    await using registry = await LocalRegistry.start({ token: tokens.settings });
    await using bench = await Bench.open();
    const reference = `${registry.host}/team/app`;
    await importTar(bench, reference, { a: '1' });
    await expect(
      bench.images.login({ username: 'me', password: 'wrong', serveraddress: registry.host }, true, noSignal),
    ).rejects.toThrow('incorrect username or password');
    const { identityToken } = await bench.images.login({ username: 'me', password: 'right', serveraddress: registry.host }, true, noSignal);
    expect(identityToken).toBe('refresh-me');
    await bench.images.push({ reference, ...pushed }, quiet, noSignal);
    expect(tokens.requests.at(-1)).toMatchObject({ method: 'POST', scope: 'repository:team/app:pull,push' });
    await bench.images.pull({ ...plain, reference }, quiet, noSignal);
    expect(tokens.requests.at(-1)).toMatchObject({ scope: 'repository:team/app:pull' });
    await bench.images.pull({ ...plain, reference, auth: { username: 'me', password: 'right' } }, quiet, noSignal);
    expect(tokens.requests.at(-1)).toMatchObject({ method: 'GET', account: 'me' });
    await expect(
      bench.images.push({ reference, all: false, auth: { username: 'reader', password: 'right' } }, quiet, noSignal),
    ).rejects.toThrow(/denied|unauthorized/);
  });
});
