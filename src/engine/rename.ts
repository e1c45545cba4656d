import { EngineError, failPoint } from '../base/index.ts';
import { checkContainerName } from '../model/index.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { publish } from './publish.ts';

export async function renameContainer(ctx: EngineContext, container: Container, wanted: string): Promise<void> {
  const newName = wanted.startsWith('/') ? wanted.slice(1) : wanted;
  if (newName === '') throw new EngineError('invalidArgument', 'Neither old nor new names may be empty');
  checkContainerName(newName);
  await container.lane.run(async () => {
    const { record } = container;
    const oldName = record.name;
    if (oldName === newName) throw new EngineError('invalidArgument', 'Renaming a container with the same name as its current name');
    ctx.store.reserveName(newName, container.id);
    record.name = newName;
    try {
      await ctx.store.saveRecord(container);
    } catch (error) {
      record.name = oldName;
      ctx.store.releaseName(newName, container.id);
      throw error;
    }
    failPoint('rename.saved');
    ctx.store.releaseName(oldName, container.id);
    publish(ctx, container, 'rename', { oldName: `/${oldName}` });
  });
}
