import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

const layerCount = 8;
const filesPerLayer = 250;
const fileBytes = 250_000;
/** One configuration each. */
export const manyImages = 1000;

interface Layer {
  path: string;
  digest: string;
  size: number;
  diffId: string;
}

/** An image of 500 MB in 8 gzip layers, as files. */
export interface BigImage {
  layers: Layer[];
  config: { text: string; digest: string };
}

/** Bytes that compress to about half, the same for the same seed (xorshift). */
function content(seed: number, bytes: number): Buffer {
  const data = Buffer.alloc(bytes);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at + 8 <= bytes; at += 8) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data.writeInt32LE(state, at);
  }
  return data;
}

async function writeLayer(dir: string, index: number): Promise<Layer> {
  const path = join(dir, `layer-${index}.tar.gz`);
  const plain = createHash('sha256');
  const compressed = createHash('sha256');
  let size = 0;
  const tar = pack();
  tar.on('data', (chunk: Uint8Array) => void plain.update(chunk));
  const gzip = createGzip({ level: 1 });
  gzip.on('data', (chunk: Uint8Array) => {
    compressed.update(chunk);
    size += chunk.length;
  });
  const written = pipeline(tar, gzip, createWriteStream(path));
  for (let file = 0; file < filesPerLayer; file++) {
    const name = `data/layer-${index}/${file % 16}/file-${file}`;
    await new Promise<void>((resolve, reject) => {
      const data = content(index * filesPerLayer + file, fileBytes);
      tar.entry({ name, mode: 0o644, mtime: new Date(0) }, data, (error) => (error ? reject(error) : resolve()));
    });
  }
  tar.finalize();
  await written;
  return { path, size, digest: `sha256:${compressed.digest('hex')}`, diffId: `sha256:${plain.digest('hex')}` };
}

function digestOf(data: string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

function configOf(diffIds: readonly string[], comment: string): string {
  const created = '2026-01-01T00:00:00Z';
  return JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux', created,
    config: { Cmd: ['true'], Labels: { comment } },
    rootfs: { type: 'layers', diff_ids: diffIds }, history: diffIds.map(() => ({ created, created_by: comment })),
  });
}

export async function writeBigImage(dir: string): Promise<BigImage> {
  mkdirSync(dir, { recursive: true });
  const layers: Layer[] = [];
  for (let index = 0; index < layerCount; index++) layers.push(await writeLayer(dir, index));
  const text = configOf(layers.map(({ diffId }) => diffId), 'big');
  return { layers, config: { text, digest: digestOf(text) } };
}

/** Docker's archive of an image: its layers compressed, as they are, or plain, as docker's save writes them. */
export async function writeArchive(path: string, { layers, config }: BigImage, name: string, plain: boolean): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  const names: string[] = [];
  for (const [index, layer] of layers.entries()) {
    const packed = Buffer.from(await Bun.file(layer.path).bytes());
    const data = plain ? Buffer.from(Bun.gunzipSync(packed)) : packed;
    names.push(`${index}/layer.tar`);
    await new Promise<void>((resolve, reject) => {
      tar.entry({ name: `${index}/layer.tar`, mtime: new Date(0) }, data, (error) => (error ? reject(error) : resolve()));
    });
  }
  tar.entry({ name: 'config.json' }, config.text);
  tar.entry({ name: 'manifest.json' }, JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: names }]));
  tar.finalize();
  await written;
}

/** An archive of a thousand images that share a small layer. */
export async function writeManyImages(path: string): Promise<void> {
  const inner = pack();
  const parts: Uint8Array[] = [];
  inner.on('data', (chunk: Uint8Array) => parts.push(chunk));
  inner.entry({ name: 'file', mtime: new Date(0) }, 'small');
  inner.finalize();
  await new Promise((resolve) => inner.on('end', resolve));
  const layer = Buffer.concat(parts);
  const diffId = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  tar.entry({ name: 'layer.tar' }, layer);
  const manifest = Array.from({ length: manyImages }, (_, index) => {
    tar.entry({ name: `config-${index}.json` }, configOf([diffId], `image ${index}`));
    return { Config: `config-${index}.json`, RepoTags: [`many/image-${index}:latest`], Layers: ['layer.tar'] };
  });
  tar.entry({ name: 'manifest.json' }, JSON.stringify(manifest));
  tar.finalize();
  await written;
}

/** Uploads an image to a registry (OCI distribution, monolithic uploads) as docker's schema 2. */
export async function upload(registry: string, repository: string, tag: string, { layers, config }: BigImage): Promise<void> {
  const base = `http://${registry}/v2/${repository}`;
  const send = async (method: string, url: string, body: string | Blob | undefined, type: string): Promise<Response> => {
    const response = await fetch(url, { method, headers: { 'Content-Type': type }, ...(body === undefined ? {} : { body }) });
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
    return response;
  };
  const blob = async (digest: string, body: string | Blob): Promise<void> => {
    const started = await send('POST', `${base}/blobs/uploads/`, undefined, 'application/octet-stream');
    const url = new URL(started.headers.get('Location') ?? '', base);
    url.searchParams.set('digest', digest);
    await send('PUT', url.href, body, 'application/octet-stream');
  };
  for (const layer of layers) await blob(layer.digest, Bun.file(layer.path));
  await blob(config.digest, config.text);
  const manifest = {
    schemaVersion: 2, mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', size: Buffer.byteLength(config.text), digest: config.digest },
    layers: layers.map(({ size, digest }) => ({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size, digest })),
  };
  await send('PUT', `${base}/manifests/${tag}`, JSON.stringify(manifest), manifest.mediaType);
}

/** Reads files once, so that the first engine finds them in the page cache too. */
export async function warm(paths: readonly string[]): Promise<void> {
  for (const path of paths) for await (const _ of createReadStream(path, { highWaterMark: 1 << 20 }));
}

export async function discard(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}
