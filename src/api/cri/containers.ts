import { isEngineError } from '../../base/index.ts';
import type { ContainerSummary, Engine } from '../../engine/index.ts';
import type { JsonObject } from '../../model/index.ts';

/** Labels by which iSulad tells the containers of pods from all others; they are not shown to clients. */
const kindLabel = 'cri.isulad.type';
const sandboxLabel = 'cri.sandbox.id';

type Kind = 'podsandbox' | 'container';

/** What a pod's container is called (the kubelet's names in iSulad and dockershim): k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT. */
interface PodName {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
}

function parsePodName(name: string): PodName | undefined {
  const parts = name.split('_');
  const [prefix, container, pod, namespace, uid, attempt] = parts;
  if (parts.length !== 6 || prefix !== 'k8s' || !/^\d{1,9}$/.test(attempt ?? '')) return undefined;
  if (container === undefined || pod === undefined || namespace === undefined || uid === undefined) return undefined;
  return { container, pod, namespace, uid, attempt: Number(attempt) };
}

interface PodContainer {
  readonly summary: ContainerSummary;
  readonly name: PodName;
  readonly labels: Record<string, string>;
}

async function podContainers(engine: Engine, kind: Kind, filter: JsonObject | undefined): Promise<PodContainer[]> {
  const filters = new Map([['label', [`${kindLabel}=${kind}`]]]);
  const found = await engine.containers.list({ all: true, limit: 0, size: false, filters });
  const id = filter?.string('id') ?? '';
  const selector = Object.entries(filter?.stringMap('label_selector') ?? {});
  return found.flatMap((summary) => {
    const name = parsePodName((summary.Names[0] ?? '').replace(/^\//, ''));
    const labels = Object.fromEntries(Object.entries(summary.Labels).filter(([key]) => key !== kindLabel && key !== sandboxLabel));
    const matches = name !== undefined && summary.Id.startsWith(id) && selector.every(([key, value]) => labels[key] === value);
    return matches ? [{ summary, name, labels }] : [];
  });
}

/** The state that a filter asks for; zero values are left out on the wire, so an empty one means the first of the enum. */
function wantedState(filter: JsonObject | undefined, first: string): string | undefined {
  const state = filter?.object('state');
  return state === undefined ? undefined : state.string('state', first);
}

export async function listPodSandboxes(engine: Engine, request: JsonObject): Promise<Record<string, unknown>> {
  const filter = request.object('filter');
  const wanted = wantedState(filter, 'SANDBOX_READY');
  const items = (await podContainers(engine, 'podsandbox', filter)).map(({ summary, name, labels }) => ({
    id: summary.Id,
    metadata: { name: name.pod, uid: name.uid, namespace: name.namespace, attempt: name.attempt },
    state: summary.State === 'running' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
    created_at: createdNanos(summary),
    labels,
    annotations: summary.HostConfig.Annotations ?? {},
    runtime_handler: summary.Runtime,
  }));
  return { items: items.filter(({ state }) => wanted === undefined || state === wanted) };
}

export async function listContainers(engine: Engine, request: JsonObject): Promise<Record<string, unknown>> {
  const filter = request.object('filter');
  const wanted = wantedState(filter, 'CONTAINER_CREATED');
  const sandbox = filter?.string('pod_sandbox_id') ?? '';
  const containers = (await podContainers(engine, 'container', filter)).map(({ summary, name, labels }) => ({
    id: summary.Id,
    pod_sandbox_id: summary.Labels[sandboxLabel] ?? '',
    metadata: { name: name.container, attempt: name.attempt },
    image: { image: summary.Image },
    image_ref: imageReference(engine, summary),
    image_id: summary.ImageID,
    state: stateOf(summary),
    created_at: createdNanos(summary),
    labels,
    annotations: summary.HostConfig.Annotations ?? {},
  }));
  return { containers: containers.filter((each) => (wanted === undefined || each.state === wanted) && each.pod_sandbox_id.startsWith(sandbox)) };
}

/** An image's digest where it has one, as the kubelet compares it with ImageStatus; else its id. */
function imageReference(engine: Engine, { ImageID: imageId }: ContainerSummary): string {
  try {
    return engine.images.resolve(imageId).repoDigests[0] ?? imageId;
  } catch (error) {
    // It was removed under the container.
    if (isEngineError(error, 'notFound')) return imageId;
    throw error;
  }
}

function stateOf({ State: state }: ContainerSummary): string {
  if (state === 'created') return 'CONTAINER_CREATED';
  if (state === 'running' || state === 'paused') return 'CONTAINER_RUNNING';
  return state === 'exited' || state === 'dead' ? 'CONTAINER_EXITED' : 'CONTAINER_UNKNOWN';
}

function createdNanos({ Created: seconds }: ContainerSummary): string {
  return `${seconds}000000000`;
}
