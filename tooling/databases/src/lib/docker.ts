import type { ContainerRuntimeClient } from 'testcontainers';
import { containerLabel, removeContainers } from './containers.ts';
import { protect } from './guard.ts';
import type { ContainerPlan, DatabaseKind, ServerNeeds } from './kind.ts';
import { onFreePort } from './port.ts';
import type { OwnServer } from './server.ts';
import { until } from './wait.ts';

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

const startTimeoutMs = 120_000;

/**
 * Starts a database's image by Testcontainers.
 *
 * @throws Error if no Docker engine answers, or if the image cannot be pulled or does not start.
 */
export async function openContainer(kind: DatabaseKind, needs: ServerNeeds): Promise<OwnServer> {
  const client = await dockerEngine();
  const plan = kind.container(needs);

  // Testcontainers' own cleaner may be off (TESTCONTAINERS_RYUK_DISABLED), and is slow after a
  // crash.
  const label = crypto.randomUUID();
  const release = protect({ kind: 'containers', label });
  const remove = async (): Promise<void> => {
    await removeContainers(client, label);
    release();
  };

  try {
    const { id, url } = await startContainer(plan, label);
    const answers = (): Promise<string> => until(() => kind.probe(url), startTimeoutMs);
    const product = `${await answers()} from ${plan.image}`;
    const faults = controls(client.container.getById(id), answers);
    return {
      database: kind.name,
      source: 'docker',
      url,
      product,
      ...faults,
      close: remove,
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    const reason = error instanceof Error ? error.message.trim() : String(error);
    throw new Error(`a Docker engine answers, but ${plan.image} does not start: ${reason}`, { cause: error });
  }
}

async function dockerEngine(): Promise<ContainerRuntimeClient> {
  // Loaded on demand: most runs do not need it.
  const { getContainerRuntimeClient } = await import('testcontainers');
  try {
    return await getContainerRuntimeClient();
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    throw new Error(`no Docker engine answers\nStart one, or point DOCKER_HOST at one (${reason})`, { cause: error });
  }
}

async function startContainer(plan: ContainerPlan, label: string): Promise<{ id: string; url: string }> {
  const { GenericContainer, Wait } = await import('testcontainers');
  // A port that we choose, because Docker would choose another one at each start.
  const started = await onFreePort((host) =>
    new GenericContainer(plan.image)
      .withExposedPorts({ container: plan.port, host })
      .withEnvironment({ ...plan.environment })
      .withCommand([...plan.command])
      .withLabels({ [containerLabel]: label })
      .withWaitStrategy(Wait.forListeningPorts())
      .withStartupTimeout(startTimeoutMs)
      .start(),
  );
  return { id: started.getId(), url: plan.url(started.getHost(), started.getMappedPort(plan.port)) };
}

function controls(
  container: Container,
  answers: () => Promise<unknown>,
): Pick<OwnServer, 'start' | 'stop' | 'kill' | 'restart'> {
  const isRunning = async (): Promise<boolean> => (await container.inspect()).State.Running;
  const start = async (): Promise<void> => {
    if (!(await isRunning())) await container.start();
    await answers();
  };
  const stop = async (): Promise<void> => {
    if (await isRunning()) await container.stop({ t: 10 });
  };
  const kill = async (): Promise<void> => {
    if (!(await isRunning())) return;
    await container.kill();
    await container.wait({ condition: 'not-running' });
  };
  const restart = async (): Promise<void> => {
    await stop();
    await start();
  };
  return { start, stop, kill, restart };
}
