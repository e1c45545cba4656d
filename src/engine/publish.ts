import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';

/** Announces a container event with docker's attributes: name, image and the labels. */
export function publish(ctx: EngineContext, container: Container, action: string, attributes: Record<string, string> = {}): void {
  const { record } = container;
  ctx.events.publish('container', action, record.id, { ...record.config.Labels, image: record.imageName, name: record.name, ...attributes });
}
