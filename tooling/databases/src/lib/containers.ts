import type { ContainerRuntimeClient } from 'testcontainers';

/** The label of every container that the harness starts. Each has a random value. */
export const containerLabel = 'mcp-session.test-server';

/** Removes each container with this value of the label, running or not, with its data. */
export async function removeContainers({ container }: ContainerRuntimeClient, label: string): Promise<void> {
  const filters = { label: [`${containerLabel}=${label}`] };
  for (const { Id } of await container.dockerode.listContainers({ all: true, filters })) {
    await container.getById(Id).remove({ force: true, v: true });
  }
}
